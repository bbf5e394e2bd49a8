"""The rows of a replay buffer, and the frames they point at."""

from typing import Any

import numpy as np

from keras_rlkit.replay.storage.distinct_frames import DistinctFrames
from keras_rlkit.replay.storage.draw import Draw
from keras_rlkit.replay.storage.frame_counts import num_frames
from keras_rlkit.replay.storage.n_step import Finished, NStepAccumulator
from keras_rlkit.replay.storage.step_checks import Step
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
        frame_shape: Shape of one frame.
        frame_dtype: NumPy dtype of one frame.
        num_envs: Number of environments N.
        stack: Number of frames k of an observation.
        n_step: Environment steps joined into one transition.
        discount: Discount factor of one environment step.
        storage: Where frames lie. Defaults to `Memory()`.
    """

    def __init__(
        self,
        capacity: int,
        frame_shape: tuple[int, ...],
        frame_dtype: np.dtype,
        num_envs: int,
        stack: int,
        n_step: int,
        discount: float,
        storage: Memory | Compressed | Disk | None = None,
    ):
        self.capacity = capacity
        self.added = 0
        self.size = 0
        self._step_discount = discount
        self._frames = DistinctFrames(
            num_frames(
                capacity, frame_shape, frame_dtype, num_envs, stack, n_step
            ),
            frame_shape,
            frame_dtype,
            num_envs,
            stack,
            storage,
        )
        self._open = NStepAccumulator(num_envs, n_step, stack)
        self._ended = np.ones(num_envs, bool)
        self._slots = np.zeros((capacity, 2 * stack), np.int32)
        self._action = np.zeros(capacity, np.int32)
        self._reward = np.zeros(capacity, np.float32)
        self._discount = np.zeros(capacity, np.float32)
        # No frame of a row, nor of any later row, is older than this.
        self._oldest_frame = np.zeros(capacity, np.int64)
        self._frame_bound = 0
        # While every next stack is the stack moved on by one frame, both are
        # read as one window of k + 1 frames.
        self._windows = n_step == 1
        self._both = np.arange(2 * stack)[:, None]
        self._window = np.delete(self._both, slice(stack, -1), axis=0)

    @staticmethod
    def size_of(
        capacity: int,
        frame_shape: tuple[int, ...],
        frame_dtype: np.dtype,
        num_envs: int,
        stack: int,
        n_step: int,
        storage: Memory | Compressed | Disk,
    ) -> Size:
        """Return the bytes that a store with these arguments claims."""
        frames = num_frames(
            capacity, frame_shape, frame_dtype, num_envs, stack, n_step
        )
        row = 2 * stack * 4 + 4 + 4 + 4 + 8
        size = DistinctFrames.size_of(
            frames, frame_shape, frame_dtype, num_envs, stack, storage
        )
        return size._replace(memory=size.memory + capacity * row)

    def add(self, step: Step) -> None:
        """Store one step of every valid environment.

        Args:
            step: Arrays of N rows whose observations have the k frames on
                axis 1.

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
        frames = self._frames
        now = frames.words(step.observation)
        then = frames.words(step.next_observation)
        continues = frames.continues(now, self._frame_bound)
        start, end, new = frames.number(step.valid, continues, now, then)
        self._move_frame_bound(start[step.valid])
        self._make_room(len(new))
        frames.write(new)

        discount, ended = discount_and_end(
            step.terminated, step.truncated, self._step_discount
        )
        finished = []
        broken = step.valid & ~continues & (self._open.count > 0)
        if broken.any():
            finished.append(self._open.cut(broken, frames.last))
        finished.append(
            self._open.push(
                step.valid,
                start,
                end,
                step.action,
                step.reward,
                discount,
                ended,
            )
        )
        frames.remember(step.valid, end, then)
        self._ended[step.valid] = ended[step.valid]
        self._append(finished)
        # A storage that has run full may have dropped frames.
        self._make_room(0)

    @property
    def stored(self) -> tuple[int, int]:
        """The number of the oldest transition, and how many there are."""
        return self.added - self.size, self.size

    def end_trajectories(self) -> None:
        """Let what is added next begin new trajectories."""
        self._frames.has_last[:] = False

    @property
    def frames(self) -> DistinctFrames:
        """Where the frames of the observations are."""
        return self._frames

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
            slots_only: Whether to give the slots of frames instead of frames.

        Returns:
            The transitions, with `frames` [w, M, *frame], or [w, M] slots.
        """
        rows = index % self.capacity
        columns = self._window if self._windows else self._both
        slots = self._slots[rows, columns]
        frames = slots if slots_only else self._frames.read(slots)
        return Draw(
            frames,
            self._action[rows],
            self._reward[rows],
            self._discount[rows],
            index,
            weight,
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
        zero = [self._frames.num_frames] * stack
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

    def _move_frame_bound(self, start: np.ndarray) -> None:
        bound = self._open.oldest(self._frames.written)
        bound = start.min(where=start >= 0, initial=bound)
        self._frame_bound = max(self._frame_bound, int(bound))

    def _make_room(self, coming: int) -> None:
        """Drop the oldest transitions whose frames will be overwritten."""
        kept_from = self._frames.oldest(coming)
        while self.size:
            row = (self.added - self.size) % self.capacity
            if self._oldest_frame[row] >= kept_from:
                return
            self.size -= 1

    def _append(self, finished: list[Finished]) -> None:
        done = Finished(*map(np.concatenate, zip(*finished, strict=True)))
        count = len(done.environment)
        if not count:
            return
        if len(finished) > 1:
            order = np.argsort(done.environment, kind="stable")
            done = Finished(*(field[order] for field in done))
        if self._windows:
            shifted = done.start[:, 1:] == done.end[:, :-1]
            self._windows = bool(shifted.all())
        # Of more rows than fit, only the last ones would stay.
        done = Finished(*(field[-self.capacity :] for field in done))
        self.added += count
        rows = np.arange(self.added - len(done.environment), self.added)
        rows %= self.capacity
        numbers = np.concatenate([done.start, done.end], axis=1)
        self._slots[rows] = self._frames.slots(numbers)
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
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array of the store by name, for saving."""
        return {
            **self._own_arrays(),
            **self._open.state(),
            **self._frames.state(),
        }

    def counters(self) -> dict[str, Any]:
        """Return what has to be saved beside the arrays."""
        return {
            "added": self.added,
            "size": self.size,
            "frame_bound": self._frame_bound,
            "windows": self._windows,
            **self._frames.counters(),
        }

    def prepare(self, counters: dict[str, Any]) -> None:
        """Give `arrays` the shapes that they had with these counters."""
        self._frames.prepare(counters)

    def restore(
        self, arrays: dict[str, np.ndarray], counters: dict[str, Any]
    ) -> None:
        """Set the content to what `arrays` and `counters` returned."""
        for name, array in self._own_arrays().items():
            array[...] = arrays[name]
        self._open.restore(arrays)
        self._frames.restore(arrays, counters)
        self.added = counters["added"]
        self.size = counters["size"]
        self._frame_bound = counters["frame_bound"]
        self._windows = counters["windows"]
