"""Targets held against a predicted distribution, for losses and metrics.

Works on any object with the methods of a TFP distribution, and imports none.
"""

from typing import Any

import keras
from keras import ops

from keras_rlkit.ops import (
    predicted_marginals,
    predicted_samples,
    predicted_scores,
    scoring_rules,
)
from keras_rlkit.ops.distribution_parts import (
    independent_outputs,
    kind,
    unwrapped,
)

_COUNTS = ("Binomial", "NegativeBinomial", "Poisson")


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


def negative_log_likelihood(targets: Any, distribution: Any) -> Any:
    """Return the negative log likelihood of each event.

    Args:
        targets: Tensor of the distribution's shape, in its dtype.
        distribution: The predicted distribution.

    Returns:
        Float tensor of the batch shape.
    """
    base = unwrapped(distribution)
    if kind(base) not in _COUNTS:
        return -distribution.log_prob(targets)
    # A small difference of large numbers.
    precise = predicted_marginals.in_float64(base)
    log_probability = precise.log_prob(ops.cast(targets, precise.dtype))
    return ops.cast(-log_probability, predicted_marginals.float_type(base))


def probability_integral_transform(
    targets: Any, distribution: Any
) -> tuple[Any, Any]:
    """Return P(Y < target) and P(Y <= target) under the prediction.

    Of a joint distribution, each output's own distribution is taken.

    Args:
        targets: Tensor of the distribution's shape.
        distribution: The predicted distribution.

    Returns:
        Two float tensors like `targets`, equal for continuous distributions.

    Raises:
        ValueError: If the distribution has no distribution function, or that
            of its single outputs isn't known.
    """
    return predicted_marginals.distribution_function(targets, distribution)


def continuous_ranked_probability_score(
    targets: Any, distribution: Any, num_samples: int, seed: Any = None
) -> Any:
    """Return the continuous ranked probability score of each target.

    Each output of a joint distribution is scored by itself. Exact where there
    is a formula, otherwise estimated from samples.

    Args:
        targets: Tensor of the distribution's shape.
        distribution: The predicted distribution.
        num_samples: Integer > 1, samples per target where there are any.
        seed: Seed for them, as the distribution's `sample` takes it.

    Returns:
        Float tensor like `targets`, in their units.
    """
    score = predicted_scores.exact_crps(targets, distribution)
    if score is not None:
        return score
    samples = predicted_samples.draw(targets, distribution, num_samples, seed)
    return scoring_rules.sample_crps(
        ops.cast(targets, "float32"), ops.cast(samples, "float32")
    )
