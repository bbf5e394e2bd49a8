import keras
import numpy as np
import pytest

from keras_rlkit.utils.nests import (
    flatten,
    flatten_like,
    is_shape,
    num_rows,
    pack_like,
    take_rows,
)

SHAPES = {"b": (2,), "a": ((), {"z": (3, 1), "y": (1,)})}


def test_the_order_is_that_of_keras():
    form, leaves = flatten("shape", SHAPES, is_shape)
    assert [path for path, _ in leaves] == [
        "['a'][0]",
        "['a'][1]['y']",
        "['a'][1]['z']",
        "['b']",
    ]
    nest = {"b": 4, "a": (1, {"z": 3, "y": 2})}
    assert keras.tree.flatten(nest) == [1, 2, 3, 4]
    assert flatten_like(form, "nest", nest) == [1, 2, 3, 4]
    assert pack_like(form, [1, 2, 3, 4]) == nest
    # A file gives lists for tuples.
    listed = {"b": [2], "a": [[], {"z": [3, 1], "y": [1]}]}
    assert flatten("shape", listed, is_shape)[0] == form


def test_one_leaf_is_a_nest():
    assert flatten("shape", (3,), is_shape) == (None, [("", (3,))])
    assert flatten_like(None, "value", 5) == [5]
    # Further leaves, such as a mask, are left out.
    assert pack_like(None, [5, 6]) == 5


@pytest.mark.parametrize(
    "nest, message",
    [
        (
            {"b": 1},
            r"`x` .*keys \['a', 'b'\].* Received: the keys \['b'\], wit",
        ),
        ({"b": 1, "a": 2, "c": 3}, r"without \[\] and with \['c'\] beside"),
        (
            {"b": 1, "a": 2},
            r"`x\['a'\]` must be a tuple of 2 parts.*Received: 2",
        ),
        ({"b": 1, "a": (1,)}, r"`x\['a'\]` must be a tuple of 2 .*: 1 parts\."),
        (
            {"b": 1, "a": (1, {"z": 3, "x": 2})},
            r"`x\['a'\]\[1\]` .*without \['y'\] and with \['x'\] beside",
        ),
        ({1: 0, "b": 1}, r"keys \[1, 'b'\], without \['a'\] and with \[1\] be"),
        (np.zeros((2, 3)), r"a dictionary .*: an array of shape \(2, 3\)\."),
        (
            {"b": {"q": 1}, "a": (1, {"z": 3, "y": 2})},
            r"`x\['b'\]` must be one",
        ),
    ],
)
def test_other_forms_are_refused_with_their_place(nest, message):
    form, _ = flatten("shape", SHAPES, is_shape)
    with pytest.raises(ValueError, match=message):
        flatten_like(form, "x", nest)


def test_parts_that_may_be_left_out():
    form, _ = flatten("shape", SHAPES, is_shape)
    assert flatten_like(form, "x", {"b": 4}, True) == [None, None, None, 4]
    part = {"a": (None, {"z": 2})}
    assert flatten_like(form, "x", part, True) == [None, None, 2, None]
    with pytest.raises(ValueError, match=r"with \['c'\] beside"):
        flatten_like(form, "x", {"c": 1}, True)


@pytest.mark.parametrize("nest", [{}, {"a": {}}, {1: (2,)}])
def test_nests_of_nothing(nest):
    with pytest.raises(ValueError, match="none of them empty. Received"):
        flatten("shape", nest, is_shape)


def test_rows():
    nest = {"a": (np.arange(6).reshape(3, 2),), "b": np.arange(3)}
    assert num_rows(nest) == num_rows(nest["b"]) == 3
    assert take_rows(nest, [2, 0])["a"][0].tolist() == [[4, 5], [0, 1]]
    assert take_rows(nest, 1)["b"] == 1
    assert take_rows(nest["b"], slice(1, None)).tolist() == [1, 2]
