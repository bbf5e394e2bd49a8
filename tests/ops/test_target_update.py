import keras
import numpy as np
import pytest

from keras_rlkit.ops import periodic_update, soft_update


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_soft_update_goes_a_share_of_the_way():
    target = np.array([[1.0, -2.0], [0.0, 4.0]], "float32")
    online = np.array([[3.0, 2.0], [0.0, 0.0]], "float32")
    moved = numpy(soft_update(target, online, 0.25))
    np.testing.assert_array_equal(moved, [[1.5, -1.0], [0.0, 3.0]])
    assert moved.dtype == np.float32


def test_soft_update_again_and_again_comes_closer_by_the_same_factor():
    target = np.zeros(1, "float32")
    for _ in range(10):
        target = soft_update(target, np.ones(1, "float32"), 0.1)
    np.testing.assert_allclose(numpy(target), 1 - 0.9**10, rtol=1e-5)


def test_rates_at_the_ends():
    # 0.1 + (0.7 - 0.1) is not 0.7 in float32: a copy has to be one.
    target = np.full(2, 0.1, "float32")
    online = np.array([0.7, np.inf], "float32")
    np.testing.assert_array_equal(numpy(soft_update(target, online, 1)), online)
    still = numpy(soft_update(target, target + 1, 0.0))
    np.testing.assert_array_equal(still, target)


@pytest.mark.parametrize("dtype", ["int32", "uint32", "bool"])
def test_what_cannot_be_averaged_is_copied(dtype):
    target, online = np.array([0, 0], dtype), np.array([1, 0], dtype)
    moved = numpy(soft_update(target, online, 0.5))
    np.testing.assert_array_equal(moved, online)
    assert moved.dtype == dtype


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_stays_what_it_is(dtype):
    target = keras.ops.zeros((2,), dtype)
    moved = soft_update(target, keras.ops.ones((2,), dtype), 0.5)
    assert keras.backend.standardize_dtype(moved.dtype) == dtype
    np.testing.assert_array_equal(
        numpy(keras.ops.cast(moved, "float32")), [0.5, 0.5]
    )


def test_periodic_update_copies_at_multiples_of_the_period():
    target, online = np.zeros(2, "float32"), np.array([1.0, np.nan], "float32")
    for steps in range(1, 13):
        expected = online if steps in (4, 8, 12) else target
        moved = periodic_update(target, online, steps, period=4)
        np.testing.assert_array_equal(numpy(moved), expected)


def test_periodic_update_with_a_counter_that_is_a_tensor():
    target, online = np.zeros(1, "float32"), np.ones(1, "float32")
    for steps, expected in ((5, 0.0), (6, 1.0)):
        counter = keras.ops.convert_to_tensor(steps, "int32")
        moved = periodic_update(target, online, counter, period=3)
        assert numpy(moved).tolist() == [expected]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_float32_target_follows_short_weights_all_the_way(dtype):
    # 1 - 0.995 ** 2000 = 0.99996.
    target = keras.ops.zeros((1,), "float32")
    online = keras.ops.ones((1,), dtype)
    for _ in range(2_000):
        target = soft_update(target, online, 0.005)
    assert keras.backend.standardize_dtype(target.dtype) == "float32"
    np.testing.assert_allclose(numpy(target), 1 - 0.995**2_000, atol=1e-4)
    for rate in (1, 1.0):
        moved = soft_update(target, online, rate)
        assert keras.backend.standardize_dtype(moved.dtype) == "float32"
    moved = periodic_update(target * 0, online, 4, 2)
    assert keras.backend.standardize_dtype(moved.dtype) == "float32"
    np.testing.assert_array_equal(numpy(moved), [1.0])
