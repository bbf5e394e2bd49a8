"""How well predicted distributions fit what happened: the equations."""

import math
from typing import Any

from keras import ops

# The smallest normal float32, for what must not be 0.
_TINY = 1.2e-38

# Of an exponent, below `_log_normal_cdf`.
_ERFC = (
    -1.26551223,
    1.00002368,
    0.37409196,
    0.09678418,
    -0.18628806,
    0.27886807,
    -1.13520398,
    1.48851587,
    -0.82215223,
    0.17087277,
)


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
        _hypotenuse(scales[..., :, None], scales[..., None, :]),
    )
    pairs = weights[..., :, None] * weights[..., None, :]
    spread = ops.sum(pairs * between, axis=(-2, -1))
    return ops.sum(weights * to_target, axis=-1) - spread / 2


def log_normal_crps(targets: Any, location: Any, scale: Any) -> Any:
    """Return the continuous ranked probability score of log-normal predictions.

    Args:
        targets: Float tensor of any shape.
        location: Float tensor like `targets`, means of the logarithm.
        scale: Float tensor like `targets`, standard deviations of the
            logarithm.

    Returns:
        Float tensor like `targets`, in the units of the targets; 0 is best.

    Reference:

    - Jordan, Krüger and Lerch, "Evaluating probabilistic forecasts with
      scoringRules", 2019, appendix A.2, https://doi.org/10.18637/jss.v090.i12
    """
    positive = ops.maximum(targets, _TINY)
    z = (ops.log(positive) - location) / scale
    # The mean, exp(log_mean), is too large for floats long before these are.
    log_mean = location + scale**2 / 2
    spread = ops.exp(log_mean + _log_normal_cdf(-scale / math.sqrt(2)))
    partial = ops.exp(log_mean + _log_normal_cdf(z - scale))
    return targets * (2 * normal_cdf(z) - 1) + 2 * (spread - partial)


def student_t_crps(
    targets: Any,
    degrees_of_freedom: Any,
    location: Any,
    scale: Any,
    up_to: Any,
) -> Any:
    """Return the continuous ranked probability score of Student's t.

    Args:
        targets: Float tensor of any shape.
        degrees_of_freedom: Float tensor like `targets`. The score is infinite
            for 0.5 and less; float32 is not enough for it near 1.
        location: Float tensor like `targets`.
        scale: Float tensor like `targets`.
        up_to: Float tensor like `targets`, P(Y <= target).

    Returns:
        Float tensor like `targets`, in the units of the targets; 0 is best.

    Reference:

    - Jordan, Krüger and Lerch, "Evaluating probabilistic forecasts with
      scoringRules", 2019, appendix A.2, https://doi.org/10.18637/jss.v090.i12
    """
    z = (targets - location) / scale
    finite = degrees_of_freedom > 0.5
    degrees = ops.where(finite, degrees_of_freedom, 2.0)
    # At 1 the formula is 0 / 0, and its limit what is right.
    degrees = ops.where(ops.abs(degrees - 1) < 1e-7, 1 + 1e-7, degrees)
    # 1 / B(1/2, x) = exp(ratio(x)) / sqrt(pi).
    ratio = _log_gamma_ratio(degrees / 2)
    power = -(degrees - 1) / 2 * ops.log1p(z**2 / degrees)
    spread = ratio - _log_gamma_ratio(degrees - 0.5)
    factor = ops.sqrt(degrees / math.pi) * ops.exp(ratio) / (degrees - 1)
    score = z * (2 * up_to - 1)
    score += 2 * factor * (ops.expm1(power) - ops.expm1(spread))
    return ops.where(finite, scale * score, math.inf)


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


def poisson_cdf_of_many(targets: Any, rate: Any) -> Any:
    """Return nearly P(Y <= target) of Poisson numbers of 10,000 and more.

    Args:
        targets: Float tensor of any shape, whole numbers.
        rate: Float tensor like `targets`.

    Returns:
        Float tensor like `targets`, within 1e-6 of the right one.

    Reference:

    - Wilson and Hilferty, "The distribution of chi-square", 1931,
      https://doi.org/10.1073/pnas.17.12.684
    """
    # Y <= y where a chi-square number of 2 (y + 1) degrees is above 2 rate.
    count = ops.maximum(targets + 1, 1.0)
    root = ops.exp(ops.log(rate / count) / 3)
    return normal_cdf(3 * ops.sqrt(count) * (1 - 1 / (9 * count) - root))


def normal_cdf(z: Any) -> Any:
    """Return the standard normal distribution function of `z`."""
    return (1 + ops.erf(z / math.sqrt(2))) / 2


def _mean_distance(mean, scale):
    """E|X| of a normal X, whatever its units are."""
    # Beyond 40 standard deviations nothing changes, and nothing overflows.
    safe_scale = ops.maximum(ops.maximum(scale, ops.abs(mean) / 40), _TINY)
    z = mean / safe_scale
    density = ops.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return mean * (2 * normal_cdf(z) - 1) + 2 * scale * density


def _hypotenuse(a, b):
    """sqrt(a^2 + b^2) of positive numbers whose squares may overflow."""
    larger = ops.maximum(ops.maximum(a, b), _TINY)
    return larger * ops.sqrt((a / larger) ** 2 + (b / larger) ** 2)


def _log_gamma_ratio(x):
    """log(gamma(x + 1/2) / gamma(x)) of positive numbers."""
    # Away from 0, where Stirling's series holds.
    steps = sum(ops.log1p(0.5 / (x + i)) for i in range(8))
    x = x + 8
    series = 1 / (8 * x) - 1 / (192 * x**3) + 1 / (640 * x**5)
    return ops.log(x) / 2 - series - steps


def _log_normal_cdf(z):
    """Logarithm of the standard normal distribution function.

    Below -1 by the approximation of Press and others, "Numerical recipes",
    1992, section 6.2, whose relative error is 1.2e-7.
    """
    upper = ops.log(normal_cdf(ops.maximum(z, -1)))
    x = -ops.minimum(z, -1) / math.sqrt(2)
    t = 1 / (1 + x / 2)
    series = 0.0
    for coefficient in _ERFC[::-1]:
        series = series * t + coefficient
    lower = ops.log(t / 2) - x**2 + series
    return ops.where(z > -1, upper, lower)
