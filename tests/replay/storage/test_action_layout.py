import numpy as np
import pytest

from keras_rlkit.replay.storage.action_layout import ActionLayout

MIXED = {"gear": (), "move": (2,), "bits": (2,), "many": (2,)}
CHOICES = {"gear": 3, "move": None, "bits": 2, "many": (2, 4)}


def actions():
    return {
        "gear": np.array([0, 2]),
        "move": np.array([[0.5, -1.0], [2.0, 0.0]]),
        "bits": np.array([[0, 1], [1, 1]]),
        "many": np.array([[1, 3], [0, 0]]),
    }


def test_one_integer_and_numbers():
    one = ActionLayout((), 4)
    assert (one.shape, one.num_actions, one.mask_size) == ((), 4, 4)
    assert one.check([3, 0], 2)[0].tolist() == [3, 0]
    numbers = ActionLayout((3,), None)
    assert (numbers.dtype, numbers.mask_size) == (np.float32, None)
    unknown = ActionLayout((), None)
    assert (unknown.dtype, unknown.mask_size) == (np.int32, None)


def test_a_nest():
    layout = ActionLayout(MIXED, CHOICES)
    # In the order of the keys: bits 2 * 2, gear 3, many 2 + 4.
    assert layout.mask_size == 4 + 3 + 6
    parts = layout.check(actions(), 2)
    assert [part.shape for part in parts] == [(2, 2), (2,), (2, 2), (2, 2)]
    again = layout.nest(parts)
    for key, value in actions().items():
        np.testing.assert_array_equal(again[key], value)
    assert [part.dtype for part in layout.zeros(1)] == [
        "int32",
        "int32",
        "int32",
        "float32",
    ]


def test_masks_by_hand():
    layout = ActionLayout(MIXED, CHOICES)
    parts = layout.check(actions(), 2)
    everything = np.ones((2, 13), bool)
    assert layout.allowed(everything, parts).tolist() == [True, True]
    # Bits (0, 1): columns 0 and 3. Gear 0: column 4. Many (1, 3): columns
    # 8 and 12.
    for column in range(13):
        mask = everything.copy()
        mask[0, column] = False
        taken = column in (0, 3, 4, 8, 12)
        assert layout.allowed(mask, parts).tolist() == [not taken, True]
        assert layout.can_act(mask).all()
    for first, last in ((0, 2), (2, 4), (4, 7), (7, 9), (9, 13)):
        mask = everything.copy()
        mask[1, first:last] = False
        assert layout.can_act(mask).tolist() == [True, False]


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"gear": [3, 0]},
            r"`action\['gear'\]` must be at least 0 and below 3",
        ),
        ({"many": [[0, 0], [2, 0]]}, r"`action\['many'\]` .*below \[2 4\]"),
        ({"bits": [[0, 2], [0, 0]]}, r"`action\['bits'\]` must be at least 0"),
        ({"move": [[np.nan, 0], [0, 0]]}, r"`action\['move'\]` must be finite"),
        ({"gear": [0.0, 1.0]}, r"`action\['gear'\]` must be integers"),
        ({"wheel": [0, 0]}, r"with \['wheel'\] beside"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        ActionLayout(MIXED, CHOICES).check({**actions(), **change}, 2)


@pytest.mark.parametrize(
    "shape, count, message",
    [
        ((2,), (2, 3, 4), "a number for each of the 2 integers"),
        ((), (2,), "a number for each of the 1 integers"),
        ((2,), (2, 0), "`num_actions` must be a positive integer"),
        (
            {"a": ()},
            {"a": 0},
            r"`num_actions\['a'\]` must be a positive integer",
        ),
        ({"a": ()}, 3, "`num_actions` must be a dictionary with the keys"),
    ],
)
def test_bad_arguments(shape, count, message):
    with pytest.raises(ValueError, match=message):
        ActionLayout(shape, count)
