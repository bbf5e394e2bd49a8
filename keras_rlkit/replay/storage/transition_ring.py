"""The rows of a replay buffer, and the frames they point at."""

import operator
from typing import Any

import numpy as np

from keras_rlkit.replay.storage.distinct_frames import DistinctFrames
from keras_rlkit.replay.storage.draw import Draw
from keras_rlkit.replay.storage.n_step import Finished, NStepAccumulator
from keras_rlkit.replay.storage.observation_layout import ObservationLayout
from keras_rlkit.replay.storage.observation_store import ObservationStore
from keras_rlkit.replay.storage.step_checks import Step
from keras_rlkit.replay.storage.step_links import StepLinks
from keras_rlkit.replay.storage.storage_settings import (
    Compressed,
    Disk,
    Memory,
    Size,
)
from keras_rlkit.replay.storage.termination import discount_and_end


class TransitionRing:
    """A ring of finished transitions over a ring of frames.

    A transition is one row: the places of the frames of its two observations,
    action, reward and discount. Nothing about it is worked out when it is
    read. Transitions are numbered in the order in which they came; the row of
    number i is `i % capacity`, and the numbers stored are
    `added - size` to `added - 1`.

    Args:
        capacity: Transitions to keep.
        layout: What an observation consists of.
        num_envs: Number of environments N.
        n_step: Environment steps joined into one transition.
        discount: Discount factor of one environment step.
        storage: Where frames lie. Defaults to `Memory()`.
        sequence: Steps of a sequence and of its burn-in, or `None` for single
            transitions. Defaults to `None`.
    """

    def __init__(
        self,
        capacity: int,
        layout: ObservationLayout,
        num_envs: int,
        n_step: int,
        discount: float,
        storage: Memory | Compressed | Disk | None = None,
        sequence: tuple[int, int] | None = None,
    ):
        self.capacity = capacity
        self.added = 0
        self.size = 0
        self._step_discount = discount
        self._observations = ObservationStore(
            capacity, layout, num_envs, n_step, storage or Memory()
        )
        stack = self._observations.stack
        self._open = NStepAccumulator(num_envs, n_step, stack)
        self._ended = np.ones(num_envs, bool)
        self.sequence = sequence
        self._links = sequence and StepLinks(capacity, num_envs, *sequence)
        self._slots = np.zeros((capacity, 2 * stack), np.int32)
        self._action = np.zeros(capacity, np.int32)
        self._reward = np.zeros(capacity, np.float32)
        self._discount = np.zeros(capacity, np.float32)
        # No frame of a row, nor of any later row, is older than this.
        groups = len(layout.groups)
        self._oldest_frame = np.zeros((capacity, groups), np.int64)
        self._frame_bound = [0] * groups

    @staticmethod
    def size_of(
        capacity: int,
        layout: ObservationLayout,
        num_envs: int,
        n_step: int,
        storage: Memory | Compressed | Disk,
        sequence: tuple[int, int] | None = None,
    ) -> Size:
        """Return the bytes that a store with these arguments claims."""
        size = ObservationStore.size_of(
            capacity, layout, num_envs, n_step, storage
        )
        groups = layout.groups
        row = sum(2 * group.stack * 4 + 8 for group in groups) + 4 + 4 + 4
        links = StepLinks.size_of(capacity) if sequence else 0
        return size._replace(memory=size.memory + capacity * row + links)

    def add(self, step: Step) -> None:
        """Store one step of every valid environment.

        Args:
            step: A checked step, its action one integer.

        Raises:
            ValueError: If an environment pauses within an episode.
            OSError: If a disk fails. What is stored stays right.
        """
        paused = ~step.valid & ~self._ended
        if paused.any():
            raise ValueError(
                "`valid` may be False only for an environment whose episode "
                "has ended. Received: valid=False within an episode of "
                f"environments {np.nonzero(paused)[0].tolist()}."
            )
        store = self._observations
        now = store.words(step.observation)
        then = store.words(step.next_observation)
        continues = store.continues(now, self._frame_bound)
        start, end, new = store.number(step.valid, continues, now, then)
        store.bounds(self._frame_bound, start[step.valid], self._open)
        self._make_room([len(frames) for frames in new])
        store.write(new)

        discount, ended = discount_and_end(
            step.terminated, step.truncated, self._step_discount
        )
        finished = []
        broken = step.valid & ~continues & (self._open.count > 0)
        if broken.any():
            finished.append(self._open.cut(broken, store.last))
        finished.append(
            self._open.push(
                step.valid,
                start,
                end,
                step.action[0],
                step.reward,
                discount,
                ended,
            )
        )
        store.remember(step.valid, end, then)
        self._append(finished, continues & ~self._ended)
        self._ended[step.valid] = ended[step.valid]
        # A storage that has run full may have dropped frames.
        self._make_room([0] * len(new))

    @property
    def stored(self) -> tuple[int, int]:
        """The number of the oldest transition, and how many there are."""
        return self.added - self.size, self.size

    def end_trajectories(self) -> None:
        """Let what is added next begin new trajectories."""
        self._observations.forget_last()

    @property
    def stores(self) -> list[DistinctFrames]:
        """Where the frames of the observations are, by groups."""
        return self._observations.groups

    def read(
        self,
        index: np.ndarray,
        weight: np.ndarray | None,
        slots_only: bool = False,
    ) -> Draw:
        """Return stored transitions by their numbers.

        Args:
            index: Numbers of transitions [M].
            weight: Their weights [M], or `None`.
            slots_only: Whether to give, of stacks, the slots of their frames
                instead of the frames.

        Returns:
            The transitions, with `frames` [w, M, *frame], or [w, M] slots.
        """
        rows = index % self.capacity
        return Draw(
            self._observations.read(self._slots, rows, slots_only),
            self._action[rows],
            self._reward[rows],
            self._discount[rows],
            index,
            weight,
        )

    def read_sequences(
        self,
        index: np.ndarray,
        weight: np.ndarray | None,
        slots_only: bool = False,
    ) -> Draw:
        """Return the sequences that begin with stored transitions.

        Args:
            index: Numbers of transitions [M], each the first that counts.
            weight: Weights of the sequences [M], or `None`.
            slots_only: As in `read`.

        Returns:
            The transitions of all sequences, one after the other.
        """
        around = self._links.around(index, self.stored[0])
        steps = self.read(around.number.reshape(-1), weight, slots_only)
        return steps._replace(
            index=index, burn_in=around.burn_in, mask=around.mask
        )

    def trajectories(self) -> list[np.ndarray]:
        """Return which stored transitions follow each other.

        Transitions of one step follow each other where one begins with the
        very frames that another ends with. Since frames of zeros have no place
        of their own, a trajectory is cut where a whole observation is zero.

        Returns:
            For each trajectory the numbers of its transitions, integers.
        """
        numbers = np.arange(self.added - self.size, self.added)
        slots = self._slots[numbers % self.capacity].tolist()
        stack = len(slots[0]) // 2 if slots else 0
        zero = self._observations.zero_slots
        open_ends: dict[tuple[int, ...], list[int]] = {}
        trajectories = []
        for number, places in zip(numbers.tolist(), slots, strict=True):
            start, end = places[:stack], places[stack:]
            trajectory = open_ends.pop(tuple(start), None)
            if trajectory is None or start == zero:
                trajectory = []
                trajectories.append(trajectory)
            trajectory.append(number)
            open_ends[tuple(end)] = trajectory
        return [np.array(trajectory) for trajectory in trajectories]

    def _make_room(self, coming: list[int]) -> None:
        """Drop the oldest transitions whose frames will be overwritten."""
        kept_from = self._observations.oldest(coming)
        while self.size:
            row = (self.added - self.size) % self.capacity
            oldest = self._oldest_frame[row].tolist()
            if all(map(operator.ge, oldest, kept_from)):
                return
            self.size -= 1

    def _append(self, finished: list[Finished], continues: np.ndarray) -> None:
        done = Finished(*map(np.concatenate, zip(*finished, strict=True)))
        count = len(done.environment)
        if not count:
            return
        if len(finished) > 1:
            order = np.argsort(done.environment, kind="stable")
            done = Finished(*(field[order] for field in done))
        # Of more rows than fit, only the last ones would stay.
        done = Finished(*(field[-self.capacity :] for field in done))
        self.added += count
        rows = np.arange(self.added - len(done.environment), self.added)
        if self._links:
            self._links.add(done.environment, rows, continues)
        rows %= self.capacity
        slots = self._observations.slots(done.start, done.end)
        self._slots[rows] = slots
        self._action[rows] = done.action
        self._reward[rows] = done.reward
        self._discount[rows] = done.discount
        self._oldest_frame[rows] = self._frame_bound
        self.size = min(self.size + count, self.capacity)

    def _own_arrays(self) -> dict[str, np.ndarray]:
        return {
            "slots": self._slots,
            "action": self._action,
            "reward": self._reward,
            "discount": self._discount,
            "oldest_frame": self._oldest_frame,
            "ended": self._ended,
            **(self._links.arrays() if self._links else {}),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array of the store by name, for saving."""
        return {
            **self._own_arrays(),
            **self._open.state(),
            **self._observations.arrays(),
        }

    def counters(self) -> dict[str, Any]:
        """Return what has to be saved beside the arrays."""
        return {
            "added": self.added,
            "size": self.size,
            "frame_bound": list(self._frame_bound),
            **self._observations.counters(),
        }

    def prepare(self, counters: dict[str, Any]) -> None:
        """Give `arrays` the shapes that they had with these counters."""
        self._observations.prepare(counters)

    def restore(
        self, arrays: dict[str, np.ndarray], counters: dict[str, Any]
    ) -> None:
        """Set the content to what `arrays` and `counters` returned."""
        for name, array in self._own_arrays().items():
            array[...] = arrays[name]
        self._open.restore(arrays)
        self._observations.restore(arrays, counters)
        self.added = counters["added"]
        self.size = counters["size"]
        self._frame_bound = list(counters["frame_bound"])
