"""How often targets lie where a prediction says they do."""

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
