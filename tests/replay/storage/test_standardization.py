import numpy as np

from keras_rlkit.replay.storage.standardization import standardized


def test_standardized_ignores_rounding_noise_only():
    noise = np.array([1.0, 1.0 + 1e-7, 1.0 - 1e-7])
    np.testing.assert_array_equal(standardized(noise), np.zeros(3))
    assert standardized(np.array([1.0, 1.001])).tolist() == [-1.0, 1.0]
