"""States that are handed to buffers with the observations."""

import numpy as np
import pytest

from keras_rlkit.replay import EpisodeBuffer, ReplayBuffer

SHAPES = ((3,), (2,))


def state(number, count=2):
    return tuple(
        np.full((count, *shape), number, np.float32) for shape in SHAPES
    )


def step(**changes):
    zeros = np.zeros((2, 1), "float32")
    return {
        "observation": zeros,
        "action": np.zeros(2, int),
        "reward": np.zeros(2),
        "terminated": np.zeros(2, bool),
        "truncated": np.zeros(2, bool),
        "next_observation": zeros,
        "state": state(1),
        "next_state": state(2),
        **changes,
    }


def replay(**arguments):
    sequences = {"sequence_length": 2, "state_shape": SHAPES}
    return ReplayBuffer(
        10, (1,), "float32", num_envs=2, **{**sequences, **arguments}
    )


def episodes(**arguments):
    sequences = {"sequence_length": 2, "state_shape": SHAPES}
    return EpisodeBuffer(0.9, num_envs=2, **{**sequences, **arguments})


def test_states_come_back_with_their_observations():
    buffer = replay(seed=0)
    buffer.add(**step())
    _, rest = buffer.transitions()
    for part, shape in zip(rest["state"], SHAPES, strict=True):
        np.testing.assert_array_equal(part, np.ones((2, *shape)))
    assert (rest["next_state"][1] == 2).all()
    inputs, rest = buffer.sample(2)
    assert (inputs.state[0] == 1).all()
    assert (rest["next_observation"].state[0] == 2).all()


@pytest.mark.parametrize("make", [replay, lambda: episodes(lambda_=0.9)])
@pytest.mark.parametrize(
    "changes, message",
    [
        ({"state": None}, "`state` must be a tuple of 2 arrays.*: 0 arrays"),
        ({"next_state": state(0)[:1]}, "`next_state` .* Received: 1 arrays"),
        ({"state": state(0, 3)}, r"`state\[0\]` must have shape \(2, 3\)"),
        (
            {"state": (state(0)[0], np.full((2, 2), 1j))},
            r"`state\[1\]` must have dtype float32",
        ),
    ],
)
def test_states_that_do_not_fit(make, changes, message):
    buffer = make()
    with pytest.raises(ValueError, match=message):
        buffer.add(**step(**changes))
    assert len(buffer) == 0


def test_states_without_a_place():
    buffer = ReplayBuffer(10, (1,), "float32", num_envs=2)
    with pytest.raises(ValueError, match="`state` must be a tuple of 0 arrays"):
        buffer.add(**step())


@pytest.mark.parametrize(
    "make, arguments, message",
    [
        (replay, {"state_shape": ()}, "`sequence_length` and `state_shape`"),
        (replay, {"sequence_length": None}, "belong together"),
        (replay, {"n_step": 3}, "`n_step` must be 1 with `sequence_length`"),
        (
            replay,
            {"sequence_length": None, "state_shape": (), "burn_in": 2},
            "`burn_in` needs `sequence_length`",
        ),
        (episodes, {}, "`sequence_length` needs `lambda_`"),
        (episodes, {"lambda_": 0.9, "state_shape": ()}, "belong together"),
    ],
)
def test_arguments_that_do_not_fit(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


def test_what_the_links_take_is_counted():
    sizes = [
        ReplayBuffer(1_000, (1,), "float32", **arguments).nbytes
        for arguments in (
            {},
            {"sequence_length": 5, "burn_in": 3, "state_shape": ((4,),)},
        )
    ]
    # Two numbers of 8 bytes link a transition. Its state has 16, and so has
    # a final one, for which there is room at each of them.
    assert 0 <= sizes[1] - sizes[0] - 1_000 * (16 + 2 * 16) < 1_000
