import numpy as np
import pytest

from keras_rlkit.replay.storage.observation_layout import ObservationLayout

SHAPE = {"image": (4, 4, 2), "rest": ((), (3,))}
DTYPE = {"image": "uint8", "rest": ("int64", "float32")}


def make(**changes):
    return ObservationLayout(
        **{
            "shape": SHAPE,
            "dtype": DTYPE,
            "frame_stack": {"image": 2},
            **changes,
        }
    )


def observation(num_envs=2):
    generator = np.random.default_rng(0)
    return {
        "image": generator.integers(
            255, size=(num_envs, 4, 4, 2), dtype="uint8"
        ),
        "rest": (
            generator.integers(9, size=num_envs),
            generator.normal(size=(num_envs, 3)).astype("float32"),
        ),
    }


def test_what_it_says():
    layout = make()
    assert layout.shape == SHAPE and not layout.is_array
    assert layout.dtype["rest"] == (np.dtype("int64"), np.dtype("float32"))
    assert layout.frame_stack == {"image": 2, "rest": (None, None)}
    assert layout.has_stacks and not make(frame_stack=None).has_stacks
    array = ObservationLayout((4,), "float32")
    assert array.is_array and array.shape == (4,) and array.frame_stack is None


def test_frames_and_back():
    layout, given = make(mask_size=3), observation()
    leaves = layout.check("observation", given, 2)
    mask = np.array([[True, False, True], [False, True, True]])
    groups = layout.frames([*leaves, mask])
    # A stack for itself; a number, three floats and a mask in one record.
    assert [group.shape for group in groups] == [(2, 2, 4, 4), (2, 1, 23)]
    parts = layout.groups[1].split(groups[1][:, 0], layout.leaves)
    np.testing.assert_array_equal(parts[0], given["rest"][0])
    np.testing.assert_array_equal(parts[1], given["rest"][1])
    np.testing.assert_array_equal(parts[2], mask)
    assert [part.dtype for part in parts] == ["int64", "float32", "bool"]
    nest, beside = layout.split([leaves[0], *parts])
    np.testing.assert_array_equal(nest["rest"][1], given["rest"][1])
    assert set(beside) == {"action_mask"}
    np.testing.assert_array_equal(beside["action_mask"], mask)


def test_a_state_comes_last():
    layout = make(mask_size=3, state_shape=((2,), (4,)))
    leaves = layout.zeros(5)
    # The mask allows all, and only it.
    assert leaves[-3].all()
    assert not leaves[-2].any() and not leaves[-1].any()
    _, beside = layout.split(leaves)
    assert beside["action_mask"].shape == (5, 3)
    assert [part.shape for part in beside["state"]] == [(5, 2), (5, 4)]
    assert make(state_shape=((2,),)).split(leaves[:3] + leaves[-2:-1])[1][
        "state"
    ][0].shape == (5, 2)


def test_zeros_allow_everything():
    leaves = make(mask_size=3).zeros(5)
    assert [leaf.shape for leaf in leaves] == [
        (5, 4, 4, 2),
        (5,),
        (5, 3),
        (5, 3),
    ]
    assert leaves[-1].all() and not leaves[0].any()


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"image": np.zeros((2, 4, 4, 3), "uint8")},
            r"`observation\['image'\]` must have shape \(2, 4, 4, 2\), one row",
        ),
        (
            {"rest": (np.zeros(2, "int64"), np.full((2, 3), 1e300))},
            r"`observation\['rest'\]\[1\]` .*1e\+300",
        ),
        (
            {"rest": (np.zeros(2), np.zeros((2, 3)))},
            r"`observation\['rest'\]\[0\]` must have dtype int64",
        ),
        (
            {"rest": (np.zeros(2, int),)},
            r"`observation\['rest'\]` must be a tup",
        ),
        ({"other": np.zeros(2)}, r"with \['other'\] beside them"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        make().check("observation", {**observation(), **change}, 2)


def test_a_missing_key_is_named():
    given = observation()
    del given["image"]
    with pytest.raises(ValueError, match=r"without \['image'\] and with \[\]"):
        make().check("next_observation", given, 2)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"frame_stack": 2},
            "`frame_stack` must be a nest like the observation",
        ),
        (
            {"frame_stack": {"image": 3}},
            r"`frame_stack\['image'\]` must be the size of the observation's l",
        ),
        ({"frame_stack": {"picture": 2}}, r"with \['picture'\] beside"),
        (
            {"dtype": {"image": "uint8"}},
            r"`dtype|observation_dtype` must be a di",
        ),
        ({"dtype": "text"}, "`observation_dtype` must be a NumPy dtype"),
        (
            {"shape": {"image": (0,), "rest": ((), (3,))}},
            "must be a positive in",
        ),
    ],
)
def test_bad_arguments(change, message):
    with pytest.raises(ValueError, match=message):
        make(**change)
