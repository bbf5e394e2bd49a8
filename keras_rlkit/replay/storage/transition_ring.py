"""The rows of a replay buffer, and the frames they point at."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rlkit.replay.storage.distinct_frames import DistinctFrames
from keras_rlkit.replay.storage.draw import Draw
from keras_rlkit.replay.storage.frame_counts import (
    SMALL_OBSERVATION_BYTES,
    num_frames,
)
from keras_rlkit.replay.storage.frame_groups import FrameGroup
from keras_rlkit.replay.storage.n_step import Finished, NStepAccumulator
from keras_rlkit.replay.storage.observation_layout import ObservationLayout
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
        layout: What an observation consists of.
        num_envs: Number of environments N.
        n_step: Environment steps joined into one transition.
        discount: Discount factor of one environment step.
        storage: Where frames lie. Defaults to `Memory()`.
    """

    def __init__(
        self,
        capacity: int,
        layout: ObservationLayout,
        num_envs: int,
        n_step: int,
        discount: float,
        storage: Memory | Compressed | Disk | None = None,
    ):
        self.capacity = capacity
        self.added = 0
        self.size = 0
        self._step_discount = discount
        self._layout = layout
        self._stores = []
        for group in layout.groups:
            frame = group.frame_shape, group.frame_dtype
            frames = num_frames(capacity, *frame, num_envs, group.stack, n_step)
            place = _place_of(group, layout, storage or Memory())
            self._stores.append(
                DistinctFrames(frames, *frame, num_envs, group.stack, place)
            )
        # Where each group's frames are among all frames of an observation.
        ends = np.cumsum([group.stack for group in layout.groups]).tolist()
        self._columns = [
            slice(end - group.stack, end)
            for end, group in zip(ends, layout.groups, strict=True)
        ]
        stack = ends[-1]
        self._open = NStepAccumulator(num_envs, n_step, stack)
        self._ended = np.ones(num_envs, bool)
        self._slots = np.zeros((capacity, 2 * stack), np.int32)
        self._action = np.zeros(capacity, np.int32)
        self._reward = np.zeros(capacity, np.float32)
        self._discount = np.zeros(capacity, np.float32)
        # No frame of a row, nor of any later row, is older than this.
        self._oldest_frame = np.zeros((capacity, len(ends)), np.int64)
        self._frame_bound = [0] * len(ends)
        # While every next stack is the stack moved on by one frame, both are
        # read as one window of k + 1 frames.
        self._windows = [n_step == 1] * len(ends)
        self._both, self._window = [], []
        for columns in self._columns:
            start = np.arange(columns.start, columns.stop)
            both = np.concatenate([start, start + stack])[:, None]
            self._both.append(both)
            self._window.append(np.delete(both, slice(len(start), -1), axis=0))

    @staticmethod
    def size_of(
        capacity: int,
        layout: ObservationLayout,
        num_envs: int,
        n_step: int,
        storage: Memory | Compressed | Disk,
    ) -> Size:
        """Return the bytes that a store with these arguments claims."""
        memory = disk = 0
        for group in layout.groups:
            frame = group.frame_shape, group.frame_dtype
            frames = num_frames(capacity, *frame, num_envs, group.stack, n_step)
            size = DistinctFrames.size_of(
                frames,
                *frame,
                num_envs,
                group.stack,
                _place_of(group, layout, storage),
            )
            row = 2 * group.stack * 4 + 8
            memory += size.memory + capacity * row
            disk += size.disk
        return Size(memory + capacity * (4 + 4 + 4), disk)

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
        now, then = (
            [
                store.words(frames)
                for store, frames in zip(self._stores, parts, strict=True)
            ]
            for parts in (
                self._layout.frames(step.observation),
                self._layout.frames(step.next_observation),
            )
        )
        continues = self._continues(now)
        numbered = [
            store.number(step.valid, continues, *words)
            for store, *words in zip(self._stores, now, then, strict=True)
        ]
        start, end, new = zip(*numbered, strict=True)
        start, end = _side_by_side(start), _side_by_side(end)
        self._move_frame_bound(start[step.valid])
        self._make_room([len(frames) for frames in new])
        for store, frames in zip(self._stores, new, strict=True):
            store.write(frames)

        discount, ended = discount_and_end(
            step.terminated, step.truncated, self._step_discount
        )
        finished = []
        broken = step.valid & ~continues & (self._open.count > 0)
        if broken.any():
            last = _side_by_side([store.last for store in self._stores])
            finished.append(self._open.cut(broken, last))
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
        for store, columns, words in zip(
            self._stores, self._columns, then, strict=True
        ):
            store.remember(step.valid, end[:, columns], words)
        self._ended[step.valid] = ended[step.valid]
        self._append(finished)
        # A storage that has run full may have dropped frames.
        self._make_room([0] * len(self._stores))

    def _continues(self, now: list[np.ndarray]) -> np.ndarray:
        """Say where observations are the last ones that were added."""
        result = None
        for store, words, bound in zip(
            self._stores, now, self._frame_bound, strict=True
        ):
            part = store.continues(words, bound)
            result = part if result is None else result & part
        return result

    @property
    def stored(self) -> tuple[int, int]:
        """The number of the oldest transition, and how many there are."""
        return self.added - self.size, self.size

    def end_trajectories(self) -> None:
        """Let what is added next begin new trajectories."""
        for store in self._stores:
            store.has_last[:] = False

    @property
    def stores(self) -> list[DistinctFrames]:
        """Where the frames of the observations are, by groups."""
        return self._stores

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
        leaves: list[Any] = [None] * len(self._layout.leaves)
        for group, store, windows, window, both in zip(
            self._layout.groups,
            self._stores,
            self._windows,
            self._window,
            self._both,
            strict=True,
        ):
            slots = self._slots[rows, window if windows else both]
            if slots_only and group.is_stack:
                leaves[group.leaves[0]] = slots
                continue
            parts = group.split(store.read(slots), self._layout.leaves)
            for number, part in zip(group.leaves, parts, strict=True):
                leaves[number] = part
        return Draw(
            tuple(leaves),
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
        zero = [
            store.num_frames
            for store, group in zip(
                self._stores, self._layout.groups, strict=True
            )
            for _ in range(group.stack)
        ]
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
        for place, (store, columns) in enumerate(
            zip(self._stores, self._columns, strict=True)
        ):
            bound = self._open.oldest(store.written, columns)
            numbers = start[:, columns]
            bound = numbers.min(where=numbers >= 0, initial=bound)
            self._frame_bound[place] = max(self._frame_bound[place], int(bound))

    def _make_room(self, coming: list[int]) -> None:
        """Drop the oldest transitions whose frames will be overwritten."""
        kept_from = [
            store.oldest(count)
            for store, count in zip(self._stores, coming, strict=True)
        ]
        while self.size:
            row = (self.added - self.size) % self.capacity
            oldest = self._oldest_frame[row].tolist()
            if all(a >= b for a, b in zip(oldest, kept_from, strict=True)):
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
        for place, columns in enumerate(self._columns):
            if self._windows[place]:
                start, end = done.start[:, columns], done.end[:, columns]
                self._windows[place] = bool((start[:, 1:] == end[:, :-1]).all())
        # Of more rows than fit, only the last ones would stay.
        done = Finished(*(field[-self.capacity :] for field in done))
        self.added += count
        rows = np.arange(self.added - len(done.environment), self.added)
        rows %= self.capacity
        self._slots[rows] = np.concatenate(
            [
                store.slots(numbers[:, columns])
                for numbers in (done.start, done.end)
                for store, columns in zip(
                    self._stores, self._columns, strict=True
                )
            ],
            axis=1,
        )
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
            **{
                _numbered(name, place): array
                for place, store in enumerate(self._stores)
                for name, array in store.state().items()
            },
        }

    def counters(self) -> dict[str, Any]:
        """Return what has to be saved beside the arrays."""
        return {
            "added": self.added,
            "size": self.size,
            "frame_bound": list(self._frame_bound),
            "windows": list(self._windows),
            "frames": [store.counters() for store in self._stores],
        }

    def prepare(self, counters: dict[str, Any]) -> None:
        """Give `arrays` the shapes that they had with these counters."""
        for store, own in zip(self._stores, counters["frames"], strict=True):
            store.prepare(own)

    def restore(
        self, arrays: dict[str, np.ndarray], counters: dict[str, Any]
    ) -> None:
        """Set the content to what `arrays` and `counters` returned."""
        for name, array in self._own_arrays().items():
            array[...] = arrays[name]
        self._open.restore(arrays)
        for place, store in enumerate(self._stores):
            own = {
                name: arrays[_numbered(name, place)] for name in store.state()
            }
            store.restore(own, counters["frames"][place])
        self.added = counters["added"]
        self.size = counters["size"]
        self._frame_bound = list(counters["frame_bound"])
        self._windows = list(counters["windows"])


def _place_of(
    group: FrameGroup,
    layout: ObservationLayout,
    storage: Memory | Compressed | Disk,
) -> Memory | Compressed | Disk:
    """Return where a group's frames lie: numbers beside images in memory."""
    small = group.frame_bytes <= SMALL_OBSERVATION_BYTES
    return Memory() if small and len(layout.groups) > 1 else storage


def _side_by_side(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)


def _numbered(name: str, place: int) -> str:
    return f"{name}_{place}"
