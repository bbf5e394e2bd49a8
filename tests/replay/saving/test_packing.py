import json

import numpy as np
import pytest

from keras_rlkit.replay.saving.packing import (
    pack,
    unpack,
)

STATE = {
    "none": None,
    "flag": True,
    "count": 2**127,
    "share": 0.1,
    "name": "é",
    "nested": {"list": [1, [2.5, {"deep": None}]], "empty": {}},
    "weights": np.arange(6, dtype="float32").reshape(2, 3),
    "flags": [np.array([True, False]), np.array(7, "uint8")],
    "bytes": np.array([[b"S", b"F"]]),
}


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            same(one[key], other[key]) for key in one
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (
            other.dtype,
            other.shape,
            other.tobytes(),
        )
    return type(one) is type(other) and one == other


def test_a_state_survives_json():
    tree, arrays = pack(STATE)
    assert set(arrays) == {"/weights", "/flags/0", "/flags/1", "/bytes"}
    assert same(unpack(json.loads(json.dumps(tree)), arrays), STATE)


def test_numbers_of_numpy_become_numbers_and_tuples_lists():
    tree, arrays = pack({"a": (np.float32(0.5), np.int64(3), np.bool_(True))})
    assert not arrays
    assert same(tree, {"a": [0.5, 3, True]})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (print, "builtin_function_or_method"),
        (np.array([None]), "ndarray"),
        ({1: 2}, "dict"),
        ({1, 2}, "set"),
        (b"bytes", "bytes"),
        (np.zeros(2, "datetime64[s]"), "ndarray"),
    ],
)
def test_anything_else_is_refused(value, kind):
    with pytest.raises(ValueError, match=f"Received: {kind} at '/a/1'"):
        pack({"a": [0, value]})


def test_a_missing_array_is_noticed():
    tree, _ = pack(STATE)
    with pytest.raises(KeyError, match="/weights"):
        unpack(tree, {})
