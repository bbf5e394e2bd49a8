"""Possible targets in place of those that can't be used as they are.

Works on any object with the methods of a TFP distribution, and imports none.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rlkit.ops.distribution_parts import (
    block_distributions,
    event_axes,
    has_component_axis,
    kind,
    one_draw,
    unwrapped,
)
from keras_rlkit.ops.target_support import (
    NOT_ANSWERED,
    default_event,
    in_support,
    per_entry,
)


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
    possible = per_entry(in_support(near, distribution), near, distribution)
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
    distribution = unwrapped(distribution)
    values = ops.cast(targets, distribution.dtype)

    def replaced():
        harmless = ops.cast(_harmless(distribution), values.dtype)
        return ops.where(
            per_entry(keep, values, distribution), values, harmless
        )

    # Most batches have nothing to replace.
    return ops.stop_gradient(ops.cond(ops.all(keep), lambda: values, replaced))


def _harmless(distribution):
    """Possible values, near the middle if there is one, without sampling."""
    distribution = unwrapped(distribution)
    if has_component_axis(distribution):
        parts = _harmless(distribution.components_distribution)
        return ops.take(parts, 0, axis=-1 - event_axes(distribution))
    if hasattr(distribution, "components"):
        return _harmless(distribution.components[-1])
    parts = block_distributions(distribution)
    if parts:
        sizes = distribution.batch_shape_tensor()
        batch_shape = [sizes[i] for i in range(len(distribution.batch_shape))]
        blocks = [
            _as_block(_harmless(part), part, batch_shape) for part in parts
        ]
        return ops.concatenate(
            [ops.cast(block, distribution.dtype) for block in blocks], axis=-1
        )
    if kind(distribution) == "Sample":
        return _harmless(one_draw(distribution))
    if kind(distribution) == "Independent":
        return _harmless(distribution.distribution)
    harmless = default_event(distribution)
    if kind(distribution) == "QuantizedDistribution":
        harmless = ops.ceil(_harmless(distribution.distribution))
    for name in ("mode", "mean"):
        try:
            value = getattr(distribution, name)()
        except NOT_ANSWERED:
            continue
        possible = per_entry(
            in_support(value, distribution), value, distribution
        )
        value = ops.cast(value, distribution.dtype)
        harmless = ops.where(possible, value, harmless)
    return harmless


def _as_block(event, distribution, batch_shape):
    """Return `(*batch, size)`, one number for each entry of the event."""
    size = math.prod(distribution.event_shape)
    event = ops.broadcast_to(event, (*batch_shape, *distribution.event_shape))
    return ops.reshape(event, (*batch_shape, size))
