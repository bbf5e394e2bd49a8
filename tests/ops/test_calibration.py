import numpy as np
import pytest
from keras import ops
from scipy import stats

from keras_rlkit.ops import calibration


def tensor(*values):
    return ops.convert_to_tensor(values, dtype="float32")


@pytest.mark.parametrize(
    "target, inside",
    [(-1.97, 0), (-1.95, 1), (0.0, 1), (1.95, 1), (1.97, 0)],
)
def test_interval_of_a_continuous_distribution(target, inside):
    up_to = tensor(stats.norm.cdf(target))
    hit = calibration.interval_hit(up_to, up_to, 0.95)
    assert np.array(hit).tolist() == [inside]


def test_interval_of_counts_reaches_from_quantile_to_quantile():
    distribution, counts = stats.poisson(3.3), np.arange(15)
    low, high = distribution.ppf([0.1, 0.9])
    hit = calibration.interval_hit(
        tensor(*distribution.cdf(counts - 1)),
        tensor(*distribution.cdf(counts)),
        0.8,
    )
    expected = (counts >= low) & (counts <= high)
    assert expected.sum() == 6
    np.testing.assert_array_equal(np.array(hit), expected)


def test_quantile_hit_of_a_continuous_distribution():
    up_to = tensor(0.05, 0.5, 0.95)
    hits = calibration.quantile_hit(up_to, up_to, tensor(0.1, 0.5, 0.9))
    expected = [[1, 1, 1], [0, 1, 1], [0, 0, 0]]
    np.testing.assert_array_equal(np.array(hits), expected)


def test_quantile_hit_on_a_step_is_the_part_under_the_level():
    hits = calibration.quantile_hit(
        tensor(0.2), tensor(0.6), tensor(0.1, 0.3, 0.7)
    )
    np.testing.assert_allclose(np.array(hits), [[0, 0.25, 1]], atol=1e-6)


def test_quantile_hits_of_calibrated_counts_average_to_the_level():
    distribution = stats.poisson(2.0)
    counts = np.arange(40)
    levels = tensor(0.05, 0.3, 0.5, 0.8)
    hits = calibration.quantile_hit(
        tensor(*distribution.cdf(counts - 1)),
        tensor(*distribution.cdf(counts)),
        levels,
    )
    mean = distribution.pmf(counts) @ np.array(hits)
    np.testing.assert_allclose(mean, np.array(levels), atol=1e-5)
