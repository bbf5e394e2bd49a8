import numpy as np
import pytest

from keras_rlkit.utils import cast_values, casts_in_kind


@pytest.mark.parametrize(
    "given, kept, expected",
    [
        ("bool", "uint8", True),
        ("int64", "uint8", True),
        ("uint64", "int8", True),
        ("int64", "float16", True),
        ("float64", "float16", True),
        ("float32", "int64", False),
        ("int64", "bool", False),
        ("complex64", "float32", False),
        ("object", "float32", False),
        ("U1", "int8", False),
    ],
)
def test_kinds(given, kept, expected):
    assert casts_in_kind(np.dtype(given), np.dtype(kept)) is expected


def test_an_array_of_the_dtype_is_handed_on():
    array = np.array([np.inf, 1.0])
    assert cast_values("x", array, array.dtype) is array


@pytest.mark.parametrize(
    "array, kept",
    [
        (np.array([0, 255], "int64"), "uint8"),
        (np.array([-128, 127], "int64"), "int8"),
        (np.array([0, 127], "uint64"), "int8"),
        (np.array([2**63 - 1], "uint64"), "int64"),
        (np.zeros((0, 2), "int64"), "uint8"),
        (np.array([65504.0, -65504.0]), "float16"),
        (np.array([65504, -1]), "float16"),
        (np.array([np.inf, -np.inf, np.nan, 3e38]), "float32"),
        (np.array([True, False]), "float32"),
    ],
)
def test_what_fits(array, kept):
    cast = cast_values("x", array, np.dtype(kept))
    assert cast.dtype == kept
    np.testing.assert_allclose(
        cast.astype("float64"), array.astype("float64"), rtol=1e-7
    )


# The largest number of each dtype is 127, 255, 2**63 - 1, 65504 and 3.4e38.
@pytest.mark.parametrize(
    "array, kept, seen",
    [
        (np.array([200, 0]), "int8", "from 0 to 200"),
        (np.array([-129, 0]), "int8", "from -129 to 0"),
        (np.array([-1, 0]), "uint8", "from -1 to 0"),
        (np.array([256], "uint16"), "uint8", "from 256 to 256"),
        (np.array([2**63], "uint64"), "int64", "from 9223372036854775808"),
        (np.array([-1]), "uint64", "from -1 to -1"),
        (np.array([1e6, np.nan]), "float16", r"from 1000000\.0 to 1000000\.0"),
        (np.array([70_000]), "float16", "from 70000 to 70000"),
        (np.array([0, -1e39]), "float32", r"from -1e\+39 to 0\.0"),
    ],
)
def test_what_would_wrap_or_overflow(array, kept, seen):
    with pytest.raises(
        ValueError,
        match=rf"`x` must hold numbers that fit into dtype {kept}\. Received: "
        rf"x {seen}.*\. Scale it\.",
    ):
        cast_values("x", array, np.dtype(kept), " Scale it.")
