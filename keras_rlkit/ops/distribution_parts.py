"""What a predicted distribution is made of: wrappers, outputs, draws.

Works on any object with the methods of a TFP distribution, and imports none.
"""

import math
from typing import Any

from keras import ops


def independent_outputs(distribution: Any) -> tuple[Any, int]:
    """Return the distribution of single outputs inside wrappers.

    Args:
        distribution: The predicted distribution.

    Returns:
        A distribution over the same numbers, and how many of its last batch
        axes hold independent outputs of one sample.
    """
    axes = getattr(distribution, "unit_axes", 0)
    distribution = unwrapped(distribution)
    while kind(distribution) == "Independent":
        inner = unwrapped(distribution.distribution)
        axes += event_axes(distribution) - event_axes(inner)
        distribution = inner
    return distribution, axes


def inner_distribution(distribution: Any) -> Any:
    """Return the distribution inside wrappers that leave outputs alone.

    Args:
        distribution: A distribution.

    Returns:
        A distribution whose batch and event axes together are the same axes,
        or broadcast to them.
    """
    distribution = unwrapped(distribution)
    if kind(distribution) == "Independent":
        return inner_distribution(distribution.distribution)
    if kind(distribution) == "Sample":
        return inner_distribution(one_draw(distribution))
    return distribution


def unwrapped(distribution: Any) -> Any:
    """Return the distribution without a head's tensor value."""
    inner = getattr(distribution, "tensor_distribution", distribution)
    return inner if inner is distribution else unwrapped(inner)


def kind(distribution: Any) -> str:
    """Return the name of the distribution's class."""
    return kinds(distribution)[0]


def kinds(distribution: Any) -> list[str]:
    """Return the names of the distribution's class and its bases."""
    # TFP has an `_Independent` beside `Independent`, and others like it.
    return [cls.__name__.lstrip("_") for cls in type(distribution).__mro__]


def event_axes(distribution: Any) -> int:
    """Return how many axes an event has."""
    return len(distribution.event_shape)


def one_draw(distribution: Any) -> Any:
    """Return the distribution inside a `Sample`, with axes for the draws."""
    inner = unwrapped(distribution.distribution)
    new_axes = event_axes(distribution) - event_axes(inner)
    return inner[(..., *[None] * new_axes)]


def has_component_axis(distribution: Any) -> bool:
    """Return whether it is a mixture whose components are one distribution."""
    return hasattr(distribution, "components_distribution")


def block_distributions(distribution: Any) -> list:
    """Return the distributions of a `Blockwise`; an empty list if it is none.

    One that is made of a joint distribution doesn't tell them.
    """
    parts = getattr(distribution, "distributions", None)
    return list(parts) if isinstance(parts, (list, tuple)) else []


def blocks(distribution: Any, values: Any) -> list[tuple[Any, Any]]:
    """Return the parts of a `Blockwise`, each with its part of the values."""
    pairs, start = [], 0
    for part in map(unwrapped, block_distributions(distribution)):
        shape = tuple(part.event_shape)
        stop = start + math.prod(shape)
        block = values[..., start:stop]
        block = ops.reshape(block, (*ops.shape(values)[:-1], *shape))
        pairs.append((part, block))
        start = stop
    return pairs


def on_whole_numbers(distribution: Any) -> bool:
    """Return whether it gives whole numbers alone."""
    if "DiscreteDistributionMixin" in kinds(distribution):
        return True
    inner = getattr(distribution, "distribution", None)
    if inner is None or hasattr(distribution, "bijector"):
        return False
    return on_whole_numbers(unwrapped(inner))
