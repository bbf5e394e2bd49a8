import keras
import numpy as np
import pytest
from keras import ops

from keras_rlkit.ops import target_replacement

pytestmark = pytest.mark.tensorflow_only


def tfd():
    import tensorflow_probability as tfp

    return tfp.distributions


def test_what_is_kept_stays():
    targets = ops.convert_to_tensor([[np.nan, 2.0], [3.0, 4.0]])
    keep = ops.convert_to_tensor([[False, True], [True, True]])
    replaced = target_replacement.replace_targets(
        targets, keep, tfd().Normal([5.0, 6.0], 1.0)
    )
    np.testing.assert_array_equal(replaced, [[5.0, 2.0], [3.0, 4.0]])


def test_rounding_stays_in_the_support():
    beta = tfd().Beta(2.0, 3.0)
    targets = ops.convert_to_tensor([1 - 1e-9, 1e-50, 0.3, 1.0], "float64")
    rounded = target_replacement.round_into_support(targets, beta)
    assert keras.backend.standardize_dtype(rounded.dtype) == "float64"
    np.testing.assert_allclose(
        rounded,
        [1 - 2.0**-23, 2.0**-126, np.float32(0.3), 1.0],
        rtol=1e-12,
    )
