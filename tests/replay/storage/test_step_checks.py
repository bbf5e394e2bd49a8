import numpy as np
import pytest

from keras_rlkit.replay import ReplayBuffer
from keras_rlkit.replay.storage.action_layout import ActionLayout
from keras_rlkit.replay.storage.observation_layout import ObservationLayout
from keras_rlkit.replay.storage.step_checks import check_step

LAYOUT = ObservationLayout((3,), "uint8")


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
    return check_step(tuple(rows.values()), LAYOUT, ActionLayout((), 2), 2)


def test_a_step_of_lists_becomes_arrays():
    checked = step()
    arrays = [*checked.observation, *checked.action]
    arrays += checked.next_observation
    arrays += [a for a in checked if not isinstance(a, list)]
    assert len(arrays) == 7
    assert all(isinstance(array, np.ndarray) for array in arrays)
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
