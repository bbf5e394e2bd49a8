"""Mean and variance of data that come in parts."""

from typing import NamedTuple

import numpy as np


class Moments(NamedTuple):
    """What is known of the numbers so far, over the first axis.

    Args:
        count: How many there were.
        mean: Their mean, float64 array.
        variance: Their variance (a mean of squares), float64 array.
    """

    count: float
    mean: np.ndarray
    variance: np.ndarray


def merge_moments(known: Moments, values: np.ndarray) -> Moments:
    """Return the moments of all numbers so far and some more, exactly.

    Args:
        known: Moments of the numbers so far.
        values: Array [M, ...] of further numbers. With M = 0 nothing changes.

    Returns:
        The moments that all of them together have.

    Reference:
        Chan, Golub and LeVeque, Algorithms for Computing the Sample Variance,
        section 3, https://doi.org/10.1080/00031305.1983.10483115
    """
    if not len(values):
        return known
    values = np.asarray(values, np.float64)
    count = known.count + len(values)
    share = len(values) / count
    difference = values.mean(axis=0) - known.mean
    return Moments(
        count,
        known.mean + share * difference,
        (1 - share) * known.variance
        + share * values.var(axis=0)
        + share * (1 - share) * difference**2,
    )
