"""A buffer lives through everything at once, next to a plain list."""

import os
import pathlib
import tempfile

import hypothesis
import hypothesis.strategies as st
import numpy as np
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from keras_rlkit.replay import Prioritized, ReplayBuffer, Uniform
from keras_rlkit.replay.saving.packing import pack
from keras_rlkit.replay.saving.save_folder import SaveFolder

SAMPLERS = {"uniform": Uniform, "prioritized": Prioritized}
DISCOUNT = 0.5
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"


class BufferMachine(RuleBasedStateMachine):
    """Adds, draws, updates, saves and loads in any order.

    The list holds every transition that was ever completed. Two buffers are
    driven: one that is saved and loaded again and again, and one that never
    is. They must be the same, bit for bit.
    """

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name) / "buffer"
        self.saves = SaveFolder(self.path.with_name("saves"))

    @initialize(
        capacity=st.integers(1, 9),
        num_envs=st.integers(1, 3),
        n_step=st.integers(1, 3),
        sampler=st.sampled_from(sorted(SAMPLERS)),
        seed=st.integers(0, 9),
    )
    def make(self, capacity, num_envs, n_step, sampler, seed):
        def make_buffer():
            return ReplayBuffer(
                capacity,
                (2,),
                "uint16",
                num_envs=num_envs,
                n_step=n_step,
                discount=DISCOUNT,
                sampler=SAMPLERS[sampler](),
                seed=seed,
            )

        self.make_buffer = make_buffer
        self.buffer, self.other = make_buffer(), make_buffer()
        self.capacity, self.num_envs, self.n_step = capacity, num_envs, n_step
        self.now = np.zeros((num_envs, 2), "uint16")
        self.count = 0
        self.complete = []
        self.open = [[] for _ in range(num_envs)]

    def observe(self):
        """New observations, no two of which are the same."""
        self.count += 1
        rows = np.arange(1, self.num_envs + 1)
        return np.stack([rows, rows * 0 + self.count], 1).astype("uint16")

    @rule(data=st.data())
    def add(self, data):
        def flags():
            return np.array(
                data.draw(
                    st.lists(
                        st.booleans(),
                        min_size=self.num_envs,
                        max_size=self.num_envs,
                    )
                )
            )

        action = np.arange(self.num_envs) + self.count % 3
        reward = np.arange(self.num_envs) - self.count / 4
        terminated, truncated = flags(), flags()
        then = self.observe()
        for buffer in (self.buffer, self.other):
            buffer.add(self.now, action, reward, terminated, truncated, then)
        for row in range(self.num_envs):
            self.remember(
                row,
                action[row],
                reward[row],
                terminated[row],
                truncated[row],
                then[row],
            )
        ended = (terminated | truncated)[:, None]
        self.now = np.where(ended, self.observe(), then)

    def remember(self, row, action, reward, terminated, truncated, then):
        """The definition of n-step transitions, step by step."""
        steps = self.open[row]
        steps.append((self.now[row].tolist(), int(action), float(reward)))
        whole = len(steps) == self.n_step
        for first in range(len(steps)):
            if not (terminated or truncated or (whole and first == 0)):
                break
            joined = steps[first:]
            total = sum(DISCOUNT**k * s[2] for k, s in enumerate(joined))
            discount = 0.0 if terminated else DISCOUNT ** len(joined)
            self.complete.append(
                (*joined[0][:2], total, discount, then.tolist())
            )
        if terminated or truncated:
            steps.clear()
        elif whole:
            del steps[0]

    @rule()
    def break_off(self):
        """The environments are reset from outside: windows are cut."""
        for buffer in (self.buffer, self.other):
            buffer.end_trajectories()
        # What is open is completed by the next step, as truncated.
        for row, steps in enumerate(self.open):
            for first in range(len(steps)):
                joined = steps[first:]
                total = sum(DISCOUNT**k * s[2] for k, s in enumerate(joined))
                self.complete.append(
                    (
                        *joined[0][:2],
                        total,
                        DISCOUNT ** len(joined),
                        self.now[row].tolist(),
                    )
                )
        self.open = [[] for _ in range(self.num_envs)]
        self.now = self.observe()
        self.add_plain_step()

    def add_plain_step(self):
        no = np.zeros(self.num_envs, bool)
        then = self.observe()
        action, reward = np.arange(self.num_envs), np.ones(self.num_envs)
        for buffer in (self.buffer, self.other):
            buffer.add(self.now, action, reward, no, no, then)
        for row in range(self.num_envs):
            self.remember(
                row, action[row], reward[row], False, False, then[row]
            )
        self.now = then

    @precondition(lambda self: len(self.buffer))
    @rule(batch_size=st.integers(1, 4), data=st.data())
    def sample_and_update(self, batch_size, data):
        batch_size = min(batch_size, len(self.buffer))
        batch = self.buffer.sample(batch_size)
        assert_same(batch, self.other.sample(batch_size))
        observation, rest = batch[:2]
        stored = self.complete[-len(self.buffer) :]
        for number in range(batch_size):
            assert as_row(observation, rest, number) in stored
        if self.buffer.has_priorities:
            errors = np.array(
                data.draw(
                    st.lists(
                        st.integers(0, 20),
                        min_size=batch_size,
                        max_size=batch_size,
                    )
                ),
                float,
            )
            for buffer in (self.buffer, self.other):
                buffer.update_priorities(rest["index"], errors)

    @rule()
    def through_a_file(self):
        self.buffer.save(self.path)
        self.buffer = ReplayBuffer.load(self.path)

    @rule()
    def through_a_folder(self):
        self.buffer.feed.forget()
        self.saves.write(self.buffer.get_state())
        self.buffer = self.make_buffer()
        self.buffer.set_state(self.saves.read())

    @invariant()
    def holds_the_last_transitions(self):
        if not hasattr(self, "buffer"):
            return
        size = len(self.buffer)
        assert size == min(len(self.complete), self.capacity)
        observation, rest = self.buffer.transitions()[:2]
        rows = [as_row(observation, rest, row) for row in range(size)]
        assert sorted(rows) == sorted(
            self.complete[len(self.complete) - size :]
        )
        one, other = pack(self.buffer.get_state()), pack(self.other.get_state())
        assert one[0] == other[0]
        assert_same(list(one[1].values()), list(other[1].values()))

    def teardown(self):
        self.folder.cleanup()


def as_row(observation, rest, row):
    return (
        observation[row].tolist(),
        int(rest["action"][row]),
        float(rest["reward"][row]),
        float(rest["discount"][row]),
        rest["next_observation"][row].tolist(),
    )


def assert_same(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
        return
    assert one.dtype == other.dtype
    assert one.tobytes() == other.tobytes()


TestBuffer = BufferMachine.TestCase
TestBuffer.settings = hypothesis.settings(
    max_examples=10_000 if NIGHTLY else 200,
    stateful_step_count=30 if NIGHTLY else 15,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
