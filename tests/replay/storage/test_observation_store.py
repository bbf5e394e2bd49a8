"""Observations of several parts, each a group of frames of its own."""

import numpy as np
import pytest

from keras_rlkit.replay import ReplayBuffer


def make(**arguments):
    return ReplayBuffer(
        20,
        {"image": (2, 3), "vector": (1,)},
        {"image": "uint8", "vector": "float32"},
        frame_stack={"image": 3},
        **arguments,
    )


def observation(*frames, vector=0.0):
    image = np.stack([np.full(2, frame, np.uint8) for frame in frames], -1)
    return {"image": image[None], "vector": np.float32([[vector]])}


def add(buffer, now, then, reward=1.0):
    buffer.add(
        now,
        np.zeros(1, int),
        np.array([reward]),
        np.zeros(1, bool),
        np.zeros(1, bool),
        then,
    )


@pytest.mark.parametrize("moves", [True, False])
def test_stacks_may_move_by_more_than_a_frame(moves):
    buffer = make()
    first = observation(1, 2, 3, vector=0.5)
    second = observation(*((2, 3, 4) if moves else (7, 3, 9)), vector=1.5)
    add(buffer, first, second)
    read, rest = buffer.transitions()
    np.testing.assert_array_equal(read["image"], first["image"])
    following = rest["next_observation"]
    np.testing.assert_array_equal(following["image"], second["image"])
    assert (read["vector"].item(), following["vector"].item()) == (0.5, 1.5)


@pytest.mark.parametrize(
    "changed, trajectories",
    [
        (observation(2, 3, 4, vector=1.0), 1),
        # One part goes on, the other doesn't.
        (observation(2, 3, 4, vector=9.0), 2),
        (observation(5, 3, 4, vector=1.0), 2),
    ],
)
def test_all_parts_must_go_on(changed, trajectories):
    joined = make(n_step=2, discount=0.5)
    single = make()
    for buffer in (joined, single):
        add(buffer, observation(1, 2, 3), observation(2, 3, 4, vector=1.0))
        add(buffer, changed, observation(3, 4, 5, vector=2.0))
    assert len(single.trajectories()) == trajectories
    # What doesn't go on was truncated: its reward stands alone.
    _, rest = joined.transitions()
    assert rest["reward"].tolist() == [1.5 if trajectories == 1 else 1.0]
