"""How well predicted distributions fit what happened: the equations."""

import math
from typing import Any

from keras import ops


def interval_hit(below: Any, up_to: Any, level: float) -> Any:
    """Return which targets lie in the central interval of `level`.

    The interval reaches from the quantile of `(1 - level) / 2` to the one of
    `(1 + level) / 2`, both ends included. It is asked for in probabilities, so
    that a distribution needs a distribution function F and no quantiles.

    Args:
        below: Float tensor of any shape, P(Y < target) under the prediction.
        up_to: Float tensor like `below`, P(Y <= target) = F(target). The same
            as `below` for a continuous distribution.
        level: Number in (0, 1), the probability of the interval.

    Returns:
        Float tensor like `below`: 1 inside, 0 outside.
    """
    tail = (1 - level) / 2
    inside = ops.logical_and(up_to >= tail, below < 1 - tail)
    return ops.cast(inside, below.dtype)


def quantile_hit(below: Any, up_to: Any, levels: Any) -> Any:
    """Return which targets lie below the quantiles of the given levels.

    For a calibrated prediction the mean at level p is p. On the step of a
    discrete distribution the hit is the fraction of the step under the level
    (the nonrandomised probability integral transform), which keeps this true.

    Args:
        below: Float tensor of any shape, P(Y < target) under the prediction.
        up_to: Float tensor like `below`, P(Y <= target).
        levels: Float tensor `[L]`, probabilities in (0, 1).

    Returns:
        Float tensor `(..., L)` in [0, 1].

    Reference:

    - Czado, Gneiting and Held, "Predictive model assessment for count data",
      2009, section 2.1, https://doi.org/10.1111/j.1541-0420.2009.01191.x
    """
    below, up_to = below[..., None], up_to[..., None]
    step = up_to - below
    part = (levels - below) / ops.where(step > 0, step, 1.0)
    whole = ops.cast(up_to <= levels, below.dtype)
    return ops.where(step > 0, ops.clip(part, 0, 1), whole)


def normal_crps(targets: Any, mean: Any, scale: Any) -> Any:
    """Return the continuous ranked probability score of normal predictions.

    Args:
        targets: Float tensor of any shape.
        mean: Float tensor like `targets`.
        scale: Float tensor like `targets`, standard deviations.

    Returns:
        Float tensor like `targets`, in the units of the targets; 0 is best.

    Reference:

    - Gneiting and Raftery, "Strictly proper scoring rules, prediction, and
      estimation", 2007, section 4.2,
      https://doi.org/10.1198/016214506000001437
    """
    return _mean_distance(targets - mean, scale) - scale / math.sqrt(math.pi)


def normal_mixture_crps(
    targets: Any, weights: Any, means: Any, scales: Any
) -> Any:
    """Return the continuous ranked probability score of mixtures of normals.

    Args:
        targets: Float tensor of any shape `(...)`.
        weights: Float tensor `(..., K)`, probabilities of the components.
        means: Float tensor `(..., K)`.
        scales: Float tensor `(..., K)`, standard deviations.

    Returns:
        Float tensor `(...)`, in the units of the targets; 0 is best.

    Reference:

    - Grimit, Gneiting, Berrocal and Johnson, "The continuous ranked probability
      score for circular variables and its application to mesoscale forecast
      ensemble verification", 2006, equation 5,
      https://doi.org/10.1256/qj.05.235
    """
    to_target = _mean_distance(targets[..., None] - means, scales)
    between = _mean_distance(
        means[..., :, None] - means[..., None, :],
        ops.sqrt(scales[..., :, None] ** 2 + scales[..., None, :] ** 2),
    )
    pairs = weights[..., :, None] * weights[..., None, :]
    spread = ops.sum(pairs * between, axis=(-2, -1))
    return ops.sum(weights * to_target, axis=-1) - spread / 2


def sample_crps(targets: Any, samples: Any) -> Any:
    """Estimate the continuous ranked probability score from samples.

    E|X - y| - E|X - X'| / 2 with both means taken over the samples, without
    bias: the second one over pairs of different samples.

    Args:
        targets: Float tensor of any shape `(...)`.
        samples: Float tensor `(S, ...)`, S > 1 independent samples.

    Returns:
        Float tensor `(...)`, in the units of the targets; 0 is best, and
        estimates of a good score may fall below it.

    Reference:

    - Gneiting and Raftery, "Strictly proper scoring rules, prediction, and
      estimation", 2007, equation 21,
      https://doi.org/10.1198/016214506000001437
    """
    count = samples.shape[0]
    to_target = ops.mean(ops.abs(samples - targets), axis=0)
    # Sorted, the sample of rank i is the larger one in i pairs and the
    # smaller one in count - 1 - i.
    ranks = ops.arange(count, dtype=samples.dtype)
    ranks = ops.reshape(ranks, (count,) + (1,) * (len(samples.shape) - 1))
    signed = (2 * ranks - (count - 1)) * ops.sort(samples, axis=0)
    return to_target - ops.sum(signed, axis=0) / (count * (count - 1))


def normal_cdf(z: Any) -> Any:
    """Return the standard normal distribution function of `z`."""
    return (1 + ops.erf(z / math.sqrt(2))) / 2


def _mean_distance(mean, scale):
    """E|X| of a normal X."""
    z = mean / scale
    density = ops.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return mean * (2 * normal_cdf(z) - 1) + 2 * scale * density
