"""Which targets a predicted distribution can give: it is asked itself.

Works on any object with the methods of a TFP distribution, and imports none.
"""

import math
from typing import Any

import keras
from keras import ops

from keras_rlkit.ops import target_forms
from keras_rlkit.ops.distribution_parts import (
    block_distributions,
    blocks,
    event_axes,
    has_component_axis,
    kind,
    on_whole_numbers,
    one_draw,
    unwrapped,
)

# How far parts may be from adding up to 1, or a vector from length 1.
_TOLERANCE = 1e-3
# For some parameters the density is finite at the edge of the support, but its
# gradient never is.
_OPEN = (
    "Beta",
    "Chi",
    "Chi2",
    "Gamma",
    "GammaGamma",
    "Kumaraswamy",
    "NoncentralChi2",
    "PERT",
    "RelaxedBernoulli",
    "Weibull",
)
NOT_ANSWERED = (AttributeError, NotImplementedError, TypeError, ValueError)


def in_support(targets: Any, distribution: Any) -> Any:
    """Return which targets have a likelihood that isn't zero.

    Args:
        targets: Tensor of the distribution's shape, of any dtype.
        distribution: The predicted distribution.

    Returns:
        Bool tensor of the batch shape. NaN and infinity are never possible.
    """
    distribution = unwrapped(distribution)
    values = ops.cast(targets, distribution.dtype)
    if keras.backend.is_float_dtype(values.dtype):
        possible = ops.isfinite(values)
    else:
        possible = ops.cast(values, targets.dtype) == targets
    possible = _whole_event(possible, distribution)
    possible = possible & _has_form(values, distribution)
    # A class that doesn't exist would be an error of TensorFlow's here.
    default = ops.cast(default_event(distribution), values.dtype)
    values = ops.where(
        per_entry(possible, values, distribution), values, default
    )
    log_probability = _strict(distribution).log_prob(values)
    return possible & ops.isfinite(log_probability)


def per_entry(events: Any, entries: Any, distribution: Any) -> Any:
    """Return a bool for each entry, from one for each event."""
    events = events[(..., *[None] * event_axes(distribution))]
    return ops.broadcast_to(events, ops.shape(entries))


def default_event(distribution: Any) -> Any:
    """Return an event of the right form, for any parameters."""
    size = distribution.event_shape[-1] if event_axes(distribution) else 1
    rule = target_forms.rule(distribution)
    if rule is target_forms.adds_up_to_one:
        return ops.full((size,), 1 / size, dtype=distribution.dtype)
    if rule is target_forms.has_length_one:
        return ops.full((size,), 1 / math.sqrt(size), dtype=distribution.dtype)
    bijector = _bijector(distribution)
    if bijector is None:
        return ops.zeros(tuple(distribution.event_shape), distribution.dtype)
    shape = tuple(bijector.inverse_event_shape(distribution.event_shape))
    # Not 0, where some densities have a gap or a pole.
    return bijector.forward(ops.full(shape, 0.5, distribution.dtype))


def _whole_event(entries, distribution):
    """From one bool for each entry to one for each event."""
    axes = tuple(range(-event_axes(distribution), 0))
    return ops.all(entries, axis=axes) if axes else entries


def _has_form(values, distribution):
    """What a density function doesn't tell, since it takes any number."""
    distribution = unwrapped(distribution)
    if has_component_axis(distribution):
        values = ops.expand_dims(values, -1 - event_axes(distribution))
        parts = _has_form(values, distribution.components_distribution)
        return ops.any(parts, axis=-1)
    if hasattr(distribution, "components"):
        possible = False
        for part in distribution.components:
            possible = possible | _has_form(values, part)
        return possible
    if block_distributions(distribution):
        possible = True
        for part, block in blocks(distribution, values):
            possible = possible & _has_form(block, part)
        return possible
    if kind(distribution) in ("Independent", "Sample"):
        sampled = kind(distribution) == "Sample"
        inner = (
            one_draw(distribution)
            if sampled
            else unwrapped(distribution.distribution)
        )
        form = _has_form(values, inner)
        axes = event_axes(distribution) - event_axes(inner)
        return ops.all(form, axis=tuple(range(-axes, 0))) if axes else form
    rule = target_forms.rule(distribution)
    if rule is not None:
        return rule(values, distribution)
    if on_whole_numbers(distribution):
        whole = ops.equal(values, ops.floor(values))
        return _whole_event(whole, distribution)
    return _comes_back(values, distribution)


def _comes_back(values, distribution):
    """Whether values survive the way to unconstrained numbers and back."""
    bijector = _bijector(distribution)
    # An angle may be given in any turn; matrices often get lost on the way.
    if (
        kind(bijector) in ("Identity", "NoneType")
        or kind(distribution) == "VonMises"
        or event_axes(distribution) > 1
    ):
        return _whole_event(ops.ones_like(values, dtype="bool"), distribution)
    # A new tensor, since TFP remembers what it has inverted.
    unconstrained = ops.stop_gradient(bijector.inverse(values))
    back = bijector.forward(unconstrained)
    distance = ops.abs(back - values)
    size = ops.abs(values)
    axes = tuple(range(-event_axes(distribution), 0))
    if axes:
        size = ops.max(size, axis=axes, keepdims=True)
    # From the largest numbers, the way back overflows.
    near = (distance <= _TOLERANCE * size + 1e-6) | ops.isinf(back)
    if kind(distribution) in _OPEN:
        near = near & ops.isfinite(unconstrained)
    return _whole_event(near, distribution)


def _bijector(distribution):
    if kind(distribution) == "Blockwise":
        return None  # It has one for the parts, not for the vector.
    try:
        return distribution.experimental_default_event_space_bijector()
    except NOT_ANSWERED:
        return None


def _strict(distribution):
    """The same distribution, with density 0 outside its support.

    Some of TFP's leave that out to save time.
    """
    distribution = unwrapped(distribution)
    parameters = getattr(distribution, "parameters", {})
    changed = {}
    if (
        "force_probs_to_zero_outside_support" in parameters
        and target_forms.rule(distribution) is None
    ):
        changed["force_probs_to_zero_outside_support"] = True
    for name in ("distribution", "components_distribution"):
        if hasattr(parameters.get(name), "log_prob"):
            changed[name] = _strict(parameters[name])
    for name in ("components", "distributions"):
        if isinstance(parameters.get(name), (list, tuple)):
            changed[name] = [_strict(part) for part in parameters[name]]
    same = all(changed[name] is parameters[name] for name in changed)
    return distribution if same else distribution.copy(**changed)
