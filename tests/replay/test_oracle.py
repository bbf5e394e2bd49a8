import functools

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from keras_rlkit.replay import ReplayBuffer
from tests.replay.oracle import Harness

STORAGES = ["memory", "compressed", "disk"]
FRAMES = [((2, 3), "uint8"), ((3,), "float32"), ((), "int32")]
END = st.sampled_from(["terminated", "truncated", "both"])
PLAN = st.fixed_dictionaries(
    {
        "episodes": st.lists(
            st.tuples(st.integers(1, 12) | st.just(80), END),
            min_size=1,
            max_size=5,
        ),
        "padding": st.sampled_from(["zeros", "repeat", "carry", "noise"]),
        "autoreset": st.sampled_from(["same_step", "next_step"]),
        "moves": st.sampled_from([[1], [-1]])
        | st.lists(st.sampled_from([1, 1, 1, 2, 5, 0, -1]), min_size=1),
        "content": st.sampled_from(["unique", "unique", "alike", "still"]),
    }
)


class ReplayAgainstOracle(RuleBasedStateMachine):
    @initialize(
        capacity=st.integers(1, 8) | st.integers(9, 40),
        num_envs=st.integers(1, 8),
        frame=st.sampled_from(FRAMES),
        frame_stack=st.sampled_from([None, 1, 2, 3, 4]),
        n_step=st.integers(1, 5),
        discount=st.sampled_from([0.9, 0.99, 1.0]),
        storage=st.sampled_from(STORAGES),
        prioritized=st.booleans(),
        plan=PLAN,
    )
    def start(
        self,
        capacity,
        num_envs,
        frame,
        frame_stack,
        n_step,
        discount,
        storage,
        prioritized,
        plan,
    ):
        shape, dtype = frame
        self.harness = Harness(
            functools.partial(ReplayBuffer, storage=storage),
            capacity=capacity,
            num_envs=num_envs,
            observation_shape=(*shape, frame_stack) if frame_stack else shape,
            observation_dtype=dtype,
            frame_stack=frame_stack,
            n_step=n_step,
            discount=discount,
            prioritized=prioritized,
            **plan,
        )

    @rule(count=st.integers(1, 12) | st.just(30))
    def step(self, count):
        self.harness.step(count)

    @rule(environment=st.integers(0, 7))
    def jump(self, environment):
        self.harness.jump(environment % self.harness.environments.num_envs)

    # Files are slow: an example may save twice.
    @precondition(lambda self: self.harness.loads < 2)
    @rule()
    def save_and_load(self):
        self.harness.save_and_load()

    @precondition(lambda self: len(self.harness.oracle))
    @rule(batch_size=st.integers(1, 40))
    def sample(self, batch_size):
        held = len(self.harness.oracle)
        self.harness.check_samples(min(batch_size, held))

    @precondition(lambda self: self.harness.indices)
    @rule(age=st.integers(0, 4), seed=st.integers(0, 1_000))
    def update_priorities(self, age, seed):
        self.harness.update_priorities(age, seed)

    @precondition(lambda self: len(self.harness.oracle))
    @rule()
    def sample_every_one(self):
        self.harness.check_every_one_is_sampled()

    @invariant()
    def same_content(self):
        self.harness.check_content()


TestReplayAgainstOracle = ReplayAgainstOracle.TestCase


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("padding", ["zeros", "noise"])
@pytest.mark.parametrize("moves", [[1], [5], [-1], [1, 1, -1, 0]])
def test_large_observations_keep_at_least_the_newest(storage, padding, moves):
    # Where frames are not shared, a buffer may run out of room for them
    # and hold fewer transitions, but what it holds has to be exact.
    harness = Harness(
        functools.partial(ReplayBuffer, storage=storage),
        capacity=15,
        num_envs=2,
        observation_shape=(64, 64, 4),
        frame_stack=4,
        n_step=2,
        episodes=[(1, "truncated"), (2, "terminated"), (40, "both")],
        padding=padding,
        moves=moves,
    )
    for _ in range(90):
        harness.step()
        harness.check_content(all_of_it=False)


def test_single_frames_are_stored_once_in_their_own_dtype():
    shape = (40, 40, 4)
    buffer = ReplayBuffer(100, shape, "uint8", frame_stack=4)
    stack = np.zeros((1, *shape), "uint8")
    for t in range(120):
        newest = np.full((1, 40, 40, 1), t + 1, "uint8")
        following = np.concatenate([stack[..., 1:], newest], axis=-1)
        never = np.array([False])
        buffer.add(
            stack, np.array([t]), np.array([0.0]), never, never, following
        )
        stack = following
    assert 100 * 40 * 40 <= buffer.nbytes < 2 * 100 * 40 * 40
    observation, labels = buffer.transitions()
    np.testing.assert_array_equal(observation[-1, 0, 0], [116, 117, 118, 119])
    np.testing.assert_array_equal(
        labels["next_observation"][-1, 0, 0], [117, 118, 119, 120]
    )
