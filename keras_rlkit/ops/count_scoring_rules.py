"""How well predicted counts and classes fit what happened: the equations."""

import math
from typing import Any

from keras import ops

# Nodes of an integral, and where it ends; the rest is below 1e-11 of it.
_NUM_NODES = 96
_LAST_TANGENT = 1e4


def poisson_crps(targets: Any, rate: Any, probability: Any, up_to: Any) -> Any:
    """Return the continuous ranked probability score of Poisson predictions.

    Args:
        targets: Float tensor of any shape, whole numbers.
        rate: Float tensor like `targets`, the means.
        probability: Float tensor like `targets`, P(Y = target).
        up_to: Float tensor like `targets`, P(Y <= target).

    Returns:
        Float tensor like `targets`, in events; 0 is best.

    Reference:

    - Jordan, Krüger and Lerch, "Evaluating probabilistic forecasts with
      scoringRules", 2019, appendix A.1, https://doi.org/10.18637/jss.v090.i12
    """
    to_target = (targets - rate) * (2 * up_to - 1) + 2 * rate * probability
    spread = _half_mean_difference(
        rate, rate, lambda part: 4 * rate[..., None] * part
    )
    return to_target - spread


def negative_binomial_crps(
    targets: Any, mean: Any, total_count: Any, probability: Any, up_to: Any
) -> Any:
    """Return the continuous ranked probability score of negative binomials.

    Args:
        targets: Float tensor of any shape, whole numbers.
        mean: Float tensor like `targets`.
        total_count: Float tensor like `targets`, r of the variance
            `mean + mean^2 / r`.
        probability: Float tensor like `targets`, P(Y = target).
        up_to: Float tensor like `targets`, P(Y <= target).

    Returns:
        Float tensor like `targets`, in events; 0 is best.

    Reference:

    - Jordan, Krüger and Lerch, "Evaluating probabilistic forecasts with
      scoringRules", 2019, appendix A.1, https://doi.org/10.18637/jss.v090.i12
    """
    to_target = (targets - mean) * (2 * up_to - 1)
    to_target += 2 * mean * (1 + targets / total_count) * probability
    variance = mean * (1 + mean / total_count)
    ratio = (4 * variance / total_count)[..., None]
    power = (total_count + 1)[..., None]
    spread = _half_mean_difference(
        variance,
        variance * (1 + 1 / total_count),
        lambda part: power * ops.log1p(ratio * part),
    )
    return to_target - spread


def categorical_crps(targets: Any, probabilities: Any) -> Any:
    """Return the ranked probability score of class numbers.

    Classes count as ordered; of two classes it is the Brier score.

    Args:
        targets: Float tensor of any shape `(...)`, class numbers from 0.
        probabilities: Float tensor `(..., K)`.

    Returns:
        Float tensor `(...)` in [0, K - 1]; 0 is best.

    Reference:

    - Gneiting and Raftery, "Strictly proper scoring rules, prediction, and
      estimation", 2007, section 4.2,
      https://doi.org/10.1198/016214506000001437
    """
    classes = ops.arange(probabilities.shape[-1], dtype=probabilities.dtype)
    reached = ops.cast(classes >= targets[..., None], probabilities.dtype)
    # Up to the last class the probability is 1, whatever the target is.
    steps = ops.cumsum(probabilities, axis=-1) - reached
    return ops.sum(steps[..., :-1] ** 2, axis=-1)


def _half_mean_difference(variance, width, decay):
    """E|X - X'| / 2 of a Poisson or negative binomial X.

    2 variance 2F1(r + 1, 1/2; 2; -4 variance / r) by Euler's integral
    (https://dlmf.nist.gov/15.6.1) over t = sin(a)^2, in which all is positive:
    4 variance / pi times that of cos(a)^2 exp(-decay(t)). With tan(a) in
    proportion to sinh(u) the trapezoidal rule converges exponentially.
    """
    width, variance = width[..., None], variance[..., None]
    unit = 1 / ops.sqrt(1 + 4 * width)
    step = ops.arcsinh(_LAST_TANGENT / unit) / _NUM_NODES
    u = step * ops.arange(_NUM_NODES, dtype=variance.dtype)
    tangent = unit * ops.sinh(u)
    rest = 1 / (1 + tangent**2)
    values = ops.exp(-decay(tangent**2 * rest)) * rest**2
    values *= step * unit * ops.cosh(u)
    total = ops.sum(values, axis=-1) - values[..., 0] / 2
    return 4 / math.pi * variance[..., 0] * total
