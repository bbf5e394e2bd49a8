import types

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from keras_rlkit.environments import as_vector
from keras_rlkit.replay import ReplayBuffer
from keras_rlkit.replay.storage.step_checks import (
    check_action,
    check_dtype,
    check_observation,
    check_shape,
    check_space,
    check_step,
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


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int32"])
def test_actions(dtype):
    action = np.array([0, 5], dtype)
    assert check_action(action, 2, num_actions=6) is action
    assert check_action([2**31 - 1], 1, None).tolist() == [2**31 - 1]


@pytest.mark.parametrize(
    "action, num_actions, message",
    [
        ([0, 6], 6, r"`action` must be at least 0 and below 6\. Received: act"),
        ([-1, 0], None, r"below 2147483648\. Received: action=\[-1  0\]\."),
        # It would wrap to 0 where batches hold it, in int32.
        ([2**32, 0], None, r"`action` must be at least 0 and below 2147483648"),
        ([0.0, 1.0], 6, r"must be integers, .* Received: action.dtype=float64"),
        ([True, False], 6, r"Received: action.dtype=bool\."),
        ([[0, 1]], 6, r"must have shape \(2,\), .* action.shape=\(1, 2\)\."),
    ],
)
def test_what_is_no_action(action, num_actions, message):
    with pytest.raises(ValueError, match=message):
        check_action(np.array(action), 2, num_actions)


def step(**changes):
    rows = {
        "observation": np.zeros((2, 3), "uint8"),
        "action": [0, 1],
        "reward": [0.0, 1.0],
        "terminated": [False, False],
        "truncated": [False, True],
        "next_observation": np.ones((2, 3), "uint8"),
        "valid": None,
        **changes,
    }
    return check_step(tuple(rows.values()), (2, 3), np.dtype("uint8"), 2)


def test_a_step_of_lists_becomes_arrays():
    checked = step()
    assert all(isinstance(array, np.ndarray) for array in checked)
    assert checked.valid.tolist() == [True, True]
    assert checked.truncated.tolist() == [False, True]


@pytest.mark.parametrize("reward", [[1, 2], [True, False], [-3e38, 3e38]])
def test_rewards(reward):
    np.testing.assert_array_equal(step(reward=reward).reward, reward)


@pytest.mark.parametrize(
    "reward, message",
    [
        (
            [np.nan, 0],
            "`reward` must be finite in float32, no NaN and no infin",
        ),
        ([0, -np.inf], r"Received: reward=\[  0\. -inf\]\."),
        # Finite only in double precision.
        ([1e39, 0], "`reward` must be finite in float32"),
        (
            [1j, 0],
            r"`reward` must be real numbers\. Received: reward.dtype=com",
        ),
        (["a", "b"], "`reward` must be real numbers"),
        ([None, 0], r"Received: reward.dtype=object\."),
        (1.0, r"`reward` must have shape \(2,\), one entry for each environ"),
    ],
)
def test_what_is_no_reward(reward, message):
    with pytest.raises(ValueError, match=message):
        step(reward=reward)


def test_rows_that_are_not_valid_may_have_any_reward():
    checked = step(reward=[np.nan, 1.0], valid=[False, True])
    assert checked.valid.tolist() == [False, True]


@pytest.mark.parametrize("name", ["terminated", "truncated", "valid"])
def test_what_is_no_flag(name):
    with pytest.raises(ValueError, match=f"`{name}` must be boolean. Received"):
        step(**{name: [0, 1]})
    with pytest.raises(ValueError, match=rf"`{name}` must have shape \(2,\)"):
        step(**{name: [True]})


def test_spaces():
    expected = ((4,), np.dtype("float32"), 1, 2)
    environment = gymnasium.make("CartPole-v1")
    assert check_space(environment) == expected
    assert check_space(as_vector(environment)) == expected
    vector = gymnasium.make_vec("CartPole-v1", num_envs=3)
    assert check_space(vector) == ((4,), np.dtype("float32"), 3, 2)
    assert type(check_space(vector)[3]) is int


def environment_with(observations=None, actions=None):
    return types.SimpleNamespace(
        observation_space=observations or spaces.Box(0, 1, (2,)),
        action_space=actions or spaces.Discrete(2),
    )


@pytest.mark.parametrize(
    "actions",
    [
        spaces.Box(-1, 1, (1,)),
        spaces.MultiDiscrete([2, 2]),
        spaces.MultiBinary(3),
    ],
)
def test_actions_that_are_not_discrete(actions):
    with pytest.raises(
        ValueError, match=r"`environment` must have discrete actions\. Recei"
    ):
        check_space(environment_with(actions=actions))


def test_observations_that_are_no_single_array():
    both = spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Discrete(2)})
    with pytest.raises(
        ValueError,
        match="`environment` must have one array as observation. Received: obs"
        r"ervation_space=Dict.*\. Wrap it in `gymnasium.wrappers.FlattenObser",
    ):
        check_space(environment_with(observations=both))


def test_rewards_that_would_overflow_once_added_up():
    # float32 ends at 3.4e38: three times 1.2e38 is above it, 1.1e38 is not.
    def add(reward):
        replay = ReplayBuffer(9, (1,), "float32", n_step=3, discount=1.0)
        for step in range(3):
            replay.add(
                np.full((1, 1), step, "float32"),
                [0],
                [reward],
                [False],
                [False],
                np.full((1, 1), step + 1, "float32"),
            )
        return replay.sample(1)[1]["reward"]

    assert add(1.1e38) == pytest.approx(3.3e38)
    with pytest.raises(
        ValueError, match=r"`reward` must be finite in float32.*n_step=3 added"
    ):
        add(1.2e38)
