"""Which targets a predicted distribution can give: it is asked itself.

Works on any object with the methods of a TFP distribution, and imports none.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rlkit.ops import target_forms

_NOT_ANSWERED = (AttributeError, NotImplementedError, TypeError, ValueError)


def independent_outputs(distribution: Any) -> tuple[Any, int]:
    """Return the distribution of single outputs inside wrappers.

    Args:
        distribution: The predicted distribution.

    Returns:
        A distribution over the same numbers, and how many of its last batch
        axes hold independent outputs of one sample.
    """
    axes = getattr(distribution, "unit_axes", 0)
    distribution = _unwrapped(distribution)
    while target_forms.kind(distribution) == "Independent":
        inner = _unwrapped(distribution.distribution)
        axes += _event_axes(distribution) - _event_axes(inner)
        distribution = inner
    return distribution, axes


def in_support(targets: Any, distribution: Any) -> Any:
    """Return which targets have a likelihood that isn't zero.

    Args:
        targets: Tensor of the distribution's shape, of any dtype.
        distribution: The predicted distribution.

    Returns:
        Bool tensor of the batch shape. NaN and infinity are never possible.
    """
    distribution = _unwrapped(distribution)
    values = ops.cast(targets, distribution.dtype)
    if keras.backend.is_float_dtype(values.dtype):
        possible = ops.isfinite(values)
    else:
        possible = ops.cast(values, targets.dtype) == targets
    possible = _whole_event(possible, distribution)
    possible = possible & _has_form(values, distribution)
    # A class that doesn't exist would be an error of TensorFlow's here.
    default = ops.cast(_default(distribution), values.dtype)
    values = ops.where(
        _per_entry(possible, values, distribution), values, default
    )
    log_probability = _strict(distribution).log_prob(values)
    return possible & ops.isfinite(log_probability)


def round_into_support(targets: Any, distribution: Any) -> Any:
    """Return targets such that a cast to the distribution's dtype is safe.

    In float32 a float64 target just below 1 is 1, and a tiny one 0. Where
    that isn't possible any more, the nearest number on its other side is.

    Args:
        targets: Tensor of the distribution's shape.
        distribution: The predicted distribution.

    Returns:
        Tensor like `targets`.
    """
    dtypes = (
        keras.backend.standardize_dtype(targets.dtype),
        keras.backend.standardize_dtype(distribution.dtype),
    )
    if dtypes != ("float64", "float32"):
        return targets
    limits = np.finfo("float32")
    near = ops.cast(ops.clip(targets, limits.min, limits.max), "float32")
    error = targets - ops.cast(near, "float64")
    step = ops.maximum(ops.abs(near) * limits.eps, limits.tiny)
    beyond = near + ops.cast(ops.sign(error), "float32") * step
    possible = _per_entry(in_support(near, distribution), near, distribution)
    rounded = ops.where(possible, near, beyond)
    rounded = ops.cast(rounded, "float64")
    return ops.where(ops.isfinite(targets), rounded, targets)


def replace_targets(targets: Any, keep: Any, distribution: Any) -> Any:
    """Put a harmless number where a target isn't kept.

    A target that doesn't count may be anything. Multiplying its loss by zero
    isn't enough: zero times NaN or infinity is NaN, in the gradient too.

    Args:
        targets: Tensor of the distribution's shape.
        keep: Bool tensor of the batch shape, or one that broadcasts to it.
        distribution: The predicted distribution.

    Returns:
        Tensor like `targets` in the distribution's dtype, without gradient.
    """
    distribution = _unwrapped(distribution)
    values = ops.cast(targets, distribution.dtype)

    def replaced():
        harmless = ops.cast(_harmless(distribution), values.dtype)
        return ops.where(
            _per_entry(keep, values, distribution), values, harmless
        )

    # Most batches have nothing to replace.
    return ops.stop_gradient(ops.cond(ops.all(keep), lambda: values, replaced))


def describe_support(distribution: Any) -> str:
    """Say in words which targets `in_support` accepts."""
    distribution, _ = independent_outputs(distribution)
    if _has_component_axis(distribution):
        return describe_support(distribution.components_distribution)
    if hasattr(distribution, "components"):
        return describe_support(distribution.components[-1])
    if target_forms.kind(distribution) == "Categorical":
        num_classes = distribution.probs_parameter().shape[-1]
        return f"a class number from 0 to {num_classes - 1}"
    for name in target_forms.ancestors(distribution):
        if name in target_forms.WORDS:
            return target_forms.WORDS[name]
    if _rule(distribution) is target_forms.has_probability:
        return "one of its outcomes"
    if _on_whole_numbers(distribution):
        return "a whole number with a probability above 0"
    return "a finite number with a density above 0"


def _unwrapped(distribution):
    inner = getattr(distribution, "tensor_distribution", distribution)
    return inner if inner is distribution else _unwrapped(inner)


def _event_axes(distribution):
    return len(distribution.event_shape)


def _whole_event(entries, distribution):
    """From one bool for each entry to one for each event."""
    axes = tuple(range(-_event_axes(distribution), 0))
    return ops.all(entries, axis=axes) if axes else entries


def _per_entry(events, entries, distribution):
    """From one bool for each event to one for each entry."""
    events = events[(..., *[None] * _event_axes(distribution))]
    return ops.broadcast_to(events, ops.shape(entries))


def _has_component_axis(distribution):
    return hasattr(distribution, "components_distribution")


def _without_sample(distribution):
    """The distribution of one draw inside `Sample`, with axes for the draws."""
    inner = _unwrapped(distribution.distribution)
    new_axes = _event_axes(distribution) - _event_axes(inner)
    return inner[(..., *[None] * new_axes)]


def _has_form(values, distribution):
    """What a density function doesn't tell, since it takes any number."""
    distribution = _unwrapped(distribution)
    if _has_component_axis(distribution):
        values = ops.expand_dims(values, -1 - _event_axes(distribution))
        parts = _has_form(values, distribution.components_distribution)
        return ops.any(parts, axis=-1)
    if hasattr(distribution, "components"):
        possible = False
        for part in distribution.components:
            possible = possible | _has_form(values, part)
        return possible
    if target_forms.kind(distribution) in ("Independent", "Sample"):
        sampled = target_forms.kind(distribution) == "Sample"
        inner = (
            _without_sample(distribution)
            if sampled
            else _unwrapped(distribution.distribution)
        )
        form = _has_form(values, inner)
        axes = _event_axes(distribution) - _event_axes(inner)
        return ops.all(form, axis=tuple(range(-axes, 0))) if axes else form
    rule = _rule(distribution)
    if rule is not None:
        return rule(values, distribution)
    if _on_whole_numbers(distribution):
        whole = ops.equal(values, ops.floor(values))
        return _whole_event(whole, distribution)
    return _comes_back(values, distribution)


def _rule(distribution):
    names = (
        name
        for name in target_forms.ancestors(distribution)
        if name in target_forms.RULES
    )
    return target_forms.RULES.get(next(names, None))


def _on_whole_numbers(distribution):
    if "DiscreteDistributionMixin" in target_forms.ancestors(distribution):
        return True
    inner = getattr(distribution, "distribution", None)
    if inner is None or hasattr(distribution, "bijector"):
        return False
    return _on_whole_numbers(_unwrapped(inner))


def _comes_back(values, distribution):
    """Whether values survive the way to unconstrained numbers and back."""
    bijector = _bijector(distribution)
    # An angle may be given in any turn; matrices often get lost on the way.
    if (
        target_forms.kind(bijector) in ("Identity", "NoneType")
        or target_forms.kind(distribution) == "VonMises"
        or _event_axes(distribution) > 1
    ):
        return _whole_event(ops.ones_like(values, dtype="bool"), distribution)
    # A new tensor, since TFP remembers what it has inverted.
    unconstrained = ops.stop_gradient(bijector.inverse(values))
    back = bijector.forward(unconstrained)
    distance = ops.abs(back - values)
    size = ops.abs(values)
    axes = tuple(range(-_event_axes(distribution), 0))
    if axes:
        size = ops.max(size, axis=axes, keepdims=True)
    # From the largest numbers, the way back overflows.
    near = (distance <= target_forms.TOLERANCE * size + 1e-6) | ops.isinf(back)
    if target_forms.kind(distribution) in target_forms.OPEN:
        near = near & ops.isfinite(unconstrained)
    return _whole_event(near, distribution)


def _bijector(distribution):
    try:
        return distribution.experimental_default_event_space_bijector()
    except _NOT_ANSWERED:
        return None


def _strict(distribution):
    """The same distribution, with density 0 outside its support.

    Some of TFP's leave that out to save time.
    """
    distribution = _unwrapped(distribution)
    parameters = getattr(distribution, "parameters", {})
    changed = {}
    if (
        "force_probs_to_zero_outside_support" in parameters
        and _rule(distribution) is None
    ):
        changed["force_probs_to_zero_outside_support"] = True
    for name in ("distribution", "components_distribution"):
        if hasattr(parameters.get(name), "log_prob"):
            changed[name] = _strict(parameters[name])
    if isinstance(parameters.get("components"), (list, tuple)):
        changed["components"] = [
            _strict(part) for part in parameters["components"]
        ]
    same = all(changed[name] is parameters[name] for name in changed)
    return distribution if same else distribution.copy(**changed)


def _harmless(distribution):
    """Possible values, near the middle if there is one, without sampling."""
    distribution = _unwrapped(distribution)
    if _has_component_axis(distribution):
        parts = _harmless(distribution.components_distribution)
        return ops.take(parts, 0, axis=-1 - _event_axes(distribution))
    if hasattr(distribution, "components"):
        return _harmless(distribution.components[-1])
    if target_forms.kind(distribution) == "Sample":
        return _harmless(_without_sample(distribution))
    if target_forms.kind(distribution) == "Independent":
        return _harmless(distribution.distribution)
    harmless = _default(distribution)
    if target_forms.kind(distribution) == "QuantizedDistribution":
        harmless = ops.ceil(_harmless(distribution.distribution))
    for name in ("mode", "mean"):
        try:
            value = getattr(distribution, name)()
        except _NOT_ANSWERED:
            continue
        possible = _per_entry(
            in_support(value, distribution), value, distribution
        )
        value = ops.cast(value, distribution.dtype)
        harmless = ops.where(possible, value, harmless)
    return harmless


def _default(distribution):
    size = distribution.event_shape[-1] if _event_axes(distribution) else 1
    rule = _rule(distribution)
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
