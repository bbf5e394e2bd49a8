import numpy as np

from keras_rlkit.ops.moments import Moments, merge_moments

NOTHING = Moments(0.0, np.zeros(()), np.zeros(()))


def test_moments_of_parts_by_hand():
    # 1, 3, then 8: mean 4, squares of differences 9 + 1 + 16.
    moments = merge_moments(NOTHING, np.array([1.0, 3.0]))
    assert moments == (2, 2.0, 1.0)
    moments = merge_moments(moments, np.array([8.0]))
    assert moments.count == 3
    np.testing.assert_allclose(moments.mean, 4.0)
    np.testing.assert_allclose(moments.variance, 26 / 3)
    assert merge_moments(moments, np.zeros(0)) == moments


def test_parts_far_from_zero_are_as_good_as_the_whole():
    values = np.random.default_rng(0).normal(1e8, 1.0, size=(1000, 2))
    moments = Moments(0.0, np.zeros(2), np.zeros(2))
    for part in np.split(values, [3, 4, 500]):
        moments = merge_moments(moments, part)
    np.testing.assert_allclose(moments.mean, values.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(moments.variance, values.var(axis=0), rtol=1e-6)
