"""What a mixture of distributions is made of: components and weights."""

from typing import Any

from keras import ops

from keras_rlkit.ops.distribution_parts import (
    has_component_axis,
    inner_distribution,
)


def mixture_components(base: Any) -> list:
    """Return what a mixture is made of; an empty list if it is none.

    Args:
        base: A distribution without wrappers.

    Returns:
        One distribution with an axis for the components behind its batch axes,
        or one for each component.
    """
    if has_component_axis(base):
        return [inner_distribution(base.components_distribution)]
    if hasattr(base, "cat") and hasattr(base, "components"):
        return [inner_distribution(part) for part in base.components]
    return []


def mixture_choice(mixture: Any) -> Any:
    """Return the categorical distribution of the components' numbers."""
    if has_component_axis(mixture):
        return mixture.mixture_distribution
    return mixture.cat


def component_axis(mixture: Any) -> int:
    """Return the axis after the mixture's batch axes, counted from behind."""
    return -1 - len(mixture.event_shape)


def component_weights(mixture: Any) -> Any:
    """Return probabilities, `(*batch, K, 1, ...)`, a 1 for each event axis."""
    weights = mixture_choice(mixture).probs_parameter()
    return weights[(..., *[None] * len(mixture.event_shape))]


def by_component(mixture: Any, function: Any, targets: Any) -> Any:
    """Return what a function gives of each component, along their axis.

    Args:
        mixture: A mixture without wrappers.
        function: Function of targets and a component that returns a tuple of
            tensors like the targets, or of samples of them.
        targets: Tensor of the mixture's shape.

    Returns:
        A list of tensors that have the components' axis too.
    """
    axis = component_axis(mixture)
    parts = mixture_components(mixture)
    if has_component_axis(mixture):
        return list(function(ops.expand_dims(targets, axis), parts[0]))
    values = [function(targets, part) for part in parts]
    return [ops.stack(column, axis=axis) for column in zip(*values)]
