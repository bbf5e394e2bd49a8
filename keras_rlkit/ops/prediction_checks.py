"""Checks that targets and weights fit a predicted distribution.

Works on any object with the methods of a TFP distribution, and imports none.
"""

from typing import Any

import keras
from keras import ops

from keras_rlkit.ops.distribution_parts import (
    independent_outputs,
    kind,
)


def is_distribution(value: Any) -> bool:
    """Return whether `value` can be used as a distribution."""
    names = ("log_prob", "batch_shape", "event_shape")
    return all(hasattr(value, name) for name in names)


def distribution_name(distribution: Any) -> str:
    """Return the class name of the distribution of single outputs."""
    return kind(independent_outputs(distribution)[0])


def check_one_tensor(distribution: Any) -> None:
    """Raise if the distribution is over several tensors at once.

    Args:
        distribution: A distribution, such as a `JointDistribution` of TFP.

    Raises:
        TypeError: If it is.
    """
    if keras.tree.is_nested(getattr(distribution, "dtype", None)):
        raise TypeError(
            "A prediction must be a distribution over one tensor. Give the "
            "model one output for each part, with a head and a loss of its "
            "own, or put the parts into one vector with "
            "`tfp.distributions.Blockwise`. "
            f"Received: a {type(distribution).__name__} distribution of "
            f"event_shape={distribution.event_shape}."
        )


def check_target_shape(targets: Any, distribution: Any) -> None:
    """Raise if targets would broadcast against the distribution.

    Args:
        targets: Tensor.
        distribution: Distribution of batch shape B and event shape E.

    Raises:
        TypeError: If the distribution is over several tensors.
        ValueError: If the shape of the targets isn't B followed by E. Unknown
            sizes agree with every size.
    """
    check_one_tensor(distribution)
    batch_shape = distribution.batch_shape
    event_shape = distribution.event_shape
    if None in (_rank(batch_shape), _rank(event_shape)):
        return
    expected = (*batch_shape, *event_shape)
    received = tuple(targets.shape)
    sizes = zip(received, expected)
    if len(received) == len(expected) and all(
        a == b or None in (a, b) for a, b in sizes
    ):
        return
    raise ValueError(
        "`y_true` and the predicted distribution must have the same shape; "
        "otherwise each target would be held against the predictions of "
        f"others. Received: y_true.shape={received}, distribution of shape "
        f"{expected} (batch_shape={tuple(batch_shape)}, "
        f"event_shape={tuple(event_shape)}). "
        f"{_shape_advice(received, expected, distribution)}"
    )


def _rank(shape):
    return getattr(shape, "rank", len(tuple(shape)))


def _shape_advice(received, expected, distribution):
    too_many_axes = len(received) > len(expected)
    if distribution_name(distribution) == "Categorical" and too_many_axes:
        if received[-1] == 1:
            return "Give class numbers without the last axis: `y[..., 0]`."
        return "Give class numbers instead of one-hot vectors: `y.argmax(-1)`."
    if len(received) == len(expected) - 1:
        return "Give the targets a last axis: `y[..., None]`."
    if len(received) == len(expected) + 1:
        return (
            "Keep the last axis of the parameters, as in `t[..., :1]` instead "
            "of `t[..., 0]`, or drop the last axis of the targets."
        )
    return "Set the head's `units` to the number of targets per sample."


def align_weights(weights: Any, values: Any) -> Any:
    """Give weights of samples, time steps or outputs the rank of values.

    Args:
        weights: Tensor whose shape is the first part of the shape of
            `values`; last axes of size 1 don't count.
        values: Tensor, `(...)`.

    Returns:
        `weights` with the rank of `values`, to be multiplied with them.

    Raises:
        ValueError: If the shapes don't agree, so that weights of some samples
            would be applied to others.
    """
    aligned = weights
    while len(aligned.shape) > len(values.shape) and aligned.shape[-1] == 1:
        aligned = ops.squeeze(aligned, axis=-1)
    while len(aligned.shape) < len(values.shape):
        aligned = aligned[..., None]
    sizes = zip(aligned.shape, values.shape)
    if len(aligned.shape) > len(values.shape) or not all(
        a == b or a == 1 or None in (a, b) for a, b in sizes
    ):
        raise ValueError(
            "`sample_weight` (or the mask) must have one entry for each "
            "sample, for each time step of each sample, or for each output "
            "where outputs are independent. Received: "
            f"sample_weight.shape={tuple(weights.shape)} for values of shape "
            f"{tuple(values.shape)}."
        )
    return aligned
