import numpy as np
import pytest

from keras_rlkit.replay.storage.array_checks import (
    check_dtype,
    check_observation,
    check_shape,
)


@pytest.mark.parametrize(
    "shape, expected",
    [((), ()), ((4,), (4,)), ([84, 84], (84, 84)), (np.array([2, 3]), (2, 3))],
)
def test_shapes(shape, expected):
    result = check_shape(shape)
    assert result == expected
    assert all(type(size) is int for size in result)


@pytest.mark.parametrize("shape", [4, None, "abc", (4.7,), (0,), (-1, 2)])
def test_what_is_no_shape(shape):
    with pytest.raises(
        ValueError, match=r"`observation_shape` must be a .*pos"
    ):
        check_shape(shape)


@pytest.mark.parametrize("dtype", ["uint8", bool, np.float32, np.dtype("i2")])
def test_dtypes(dtype):
    assert check_dtype(dtype) == np.dtype(dtype)


@pytest.mark.parametrize("dtype", ["foo", object, "U3", None, "complex64"])
def test_what_is_no_dtype(dtype):
    with pytest.raises(
        ValueError, match="`observation_dtype` must be a NumPy dtype of numbers"
    ):
        check_dtype(dtype)


@pytest.mark.parametrize(
    "given, kept",
    [
        ("float64", "float32"),
        ("int64", "int32"),
        ("uint16", "uint8"),
        ("uint8", "float32"),
        ("bool", "uint8"),
        ("int64", "uint8"),
        ("int64", "float16"),
    ],
)
def test_observations_that_can_be_kept(given, kept):
    array = np.array([[0, 1, 1]], given)
    result = check_observation("observation", array, (1, 3), np.dtype(kept))
    np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize(
    "array, kept, message",
    [
        (
            np.full((1, 3), 0.5),
            "uint8",
            "`observation` must have dtype uint8, or one that casts to it with"
            r"out loss of kind. Received: observation.dtype=float64\. Give",
        ),
        (np.full((1, 3), -1), "uint8", r"from -1 to -1\. Scale it, or choose"),
        (np.full((1, 3), 1e39), "float32", r"from 1e\+39 to 1e\+39\."),
        (np.full((1, 3), 1e6, "float32"), "float16", "from 1000000.0 to 1000"),
        (
            np.array([[3, 255, 300]], "uint16"),
            "uint8",
            "`observation` must hold numbers that fit into dtype uint8. Receiv"
            r"ed: observation from 3 to 300\.",
        ),
        (np.full((1, 3), -(2**40)), "int32", "from -1099511627776 to -10995"),
    ],
)
def test_observations_that_would_change(array, kept, message):
    with pytest.raises(ValueError, match=message):
        check_observation("observation", array, (1, 3), np.dtype(kept))


def test_what_was_infinite_or_nan_stays_so():
    array = np.array([[np.inf, -np.inf, np.nan]])
    result = check_observation("observation", array, (1, 3), np.dtype("f4"))
    np.testing.assert_array_equal(result, array)
