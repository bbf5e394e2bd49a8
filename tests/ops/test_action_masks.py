import keras
import numpy as np
import pytest
from keras import ops

import keras_rlkit as rlk


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_values_of_allowed_actions_stay_bit_for_bit(dtype):
    values = ops.cast([[1.1, -2.3, 0.0], [np.nan, 5.0, -0.0]], dtype)
    mask = np.array([[True, False, True], [True, True, True]])
    masked = rlk.ops.mask_actions(values, mask)
    assert keras.backend.standardize_dtype(masked.dtype) == dtype
    before, after = (
        ops.convert_to_numpy(ops.cast(x, "float32")) for x in (values, masked)
    )
    np.testing.assert_array_equal(after[mask], before[mask])
    assert after[0, 1] == -np.inf
    assert np.signbit(after[1, 2])


def test_zeros_and_ones_are_a_mask():
    masked = rlk.ops.mask_actions([[1.0, 2.0]], [[0, 1]])
    assert ops.convert_to_numpy(masked).tolist() == [[-np.inf, 2.0]]


def test_entropy_and_ratio_of_a_masked_policy_by_hand():
    # Of logits log 1, log 2, log 3 the last one is forbidden: 1/3 and 2/3.
    logits = np.log([[1.0, 2.0, 3.0]]).astype("float32")
    masked = rlk.ops.mask_actions(logits, [[True, True, False]])
    entropy = rlk.ops.entropy(masked)
    expected = -(np.log(1 / 3) / 3 + 2 * np.log(2 / 3) / 3)
    np.testing.assert_allclose(np.array(entropy), [expected], rtol=1e-6)
    now = rlk.ops.categorical_log_probability(masked, [1])
    # It was taken with probability 1/2.
    ratio = rlk.ops.probability_ratio(now, np.log([0.5]).astype("float32"))
    np.testing.assert_allclose(np.array(ratio), [4 / 3], rtol=1e-6)


@pytest.mark.parametrize(
    "mask", [[[True, False, True]], [True, True], [[True], [False]]]
)
def test_masks_of_other_shapes_are_refused(mask):
    with pytest.raises(ValueError, match="action_mask"):
        rlk.ops.mask_actions([[1.0, 2.0]], mask)
