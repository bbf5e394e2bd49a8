"""Observations that are stored as frames, group by group."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_rlkit.replay.storage.distinct_frames import DistinctFrames
from keras_rlkit.replay.storage.frame_counts import (
    SMALL_OBSERVATION_BYTES,
    num_frames,
)
from keras_rlkit.replay.storage.frame_groups import FrameGroup
from keras_rlkit.replay.storage.observation_layout import ObservationLayout
from keras_rlkit.replay.storage.storage_settings import (
    Compressed,
    Disk,
    Memory,
    Size,
)


class _Columns(NamedTuple):
    """Where a group's frames are among all frames of both observations."""

    own: slice
    both: np.ndarray
    window: np.ndarray


class ObservationStore:
    """Keeps the distinct frames of observations, and finds them again.

    An observation of K frames, those of all groups side by side, is named by
    the numbers of its frames; the numbers of each group count for themselves.

    Args:
        capacity: Transitions to keep frames for.
        layout: What an observation consists of.
        num_envs: Number of environments N.
        n_step: Environment steps joined into one transition.
        storage: Where frames lie.
    """

    def __init__(
        self,
        capacity: int,
        layout: ObservationLayout,
        num_envs: int,
        n_step: int,
        storage: Memory | Compressed | Disk,
    ):
        self._layout = layout
        #: The frames of each group.
        self.groups: list[DistinctFrames] = []
        for group in layout.groups:
            frame = group.frame_shape, group.frame_dtype
            frames = num_frames(capacity, *frame, num_envs, group.stack, n_step)
            place = _place_of(group, layout, storage)
            self.groups.append(
                DistinctFrames(frames, *frame, num_envs, group.stack, place)
            )
        #: Frames K of an observation.
        self.stack = sum(group.stack for group in layout.groups)
        # While every next stack is the stack moved on by one frame, both are
        # read as one window of k + 1 frames.
        self._windows = [n_step == 1] * len(self.groups)
        self._columns, first = [], 0
        for group in layout.groups:
            start = np.arange(first, first + group.stack)
            both = np.concatenate([start, start + self.stack])[:, None]
            window = np.delete(both, slice(group.stack, -1), axis=0)
            own = slice(first, first + group.stack)
            self._columns.append(_Columns(own, both, window))
            first += group.stack

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
            place = _place_of(group, layout, storage)
            size = DistinctFrames.size_of(
                frames, *frame, num_envs, group.stack, place
            )
            memory += size.memory
            disk += size.disk
        return Size(memory, disk)

    def words(self, leaves: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return observations as machine words, by groups.

        Args:
            leaves: All leaves of N observations.
        """
        frames = self._layout.frames(leaves)
        return [
            store.words(part)
            for store, part in zip(self.groups, frames, strict=True)
        ]

    def continues(
        self, words: list[np.ndarray], since: list[int]
    ) -> np.ndarray:
        """Say where observations are the last ones that were written.

        Args:
            words: What `words` gave of N observations.
            since: Of each group, frames with a smaller number don't count as
                known.

        Returns:
            Boolean [N].
        """
        result = None
        for store, part, bound in zip(self.groups, words, since, strict=True):
            same = store.continues(part, bound)
            result = same if result is None else result & same
        return result

    def number(
        self,
        valid: np.ndarray,
        continues: np.ndarray,
        now: list[np.ndarray],
        then: list[np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray, list[list]]:
        """Name the frames of one step; see `DistinctFrames.number`.

        Args:
            valid: Boolean [N], environments that really stepped.
            continues: Boolean [N], what `continues(now)` gave.
            now: Words of the observations acted on.
            then: Words of the observations that followed.

        Returns:
            A tuple `(start, end, new)`: frame numbers [N, K] of both
            observations, and the new frames by groups, for `write`.
        """
        numbered = [
            store.number(valid, continues, *words)
            for store, *words in zip(self.groups, now, then, strict=True)
        ]
        start, end, new = zip(*numbered, strict=True)
        return _side_by_side(start), _side_by_side(end), list(new)

    def oldest(self, coming: Sequence[int]) -> list[int]:
        """Return, of each group, the number from which on frames stay.

        Args:
            coming: How many frames of each group are about to be written.
        """
        return [
            store.oldest(count)
            for store, count in zip(self.groups, coming, strict=True)
        ]

    def write(self, new: list[list]) -> None:
        """Store the frames that `number` named."""
        for store, frames in zip(self.groups, new, strict=True):
            store.write(frames)

    def remember(
        self, valid: np.ndarray, end: np.ndarray, then: list[np.ndarray]
    ) -> None:
        """Keep the last observations of valid environments.

        Args:
            valid: Boolean [N].
            end: Their frame numbers [N, K].
            then: Their words.
        """
        for store, columns, words in zip(
            self.groups, self._columns, then, strict=True
        ):
            store.remember(valid, end[:, columns.own], words)

    @property
    def last(self) -> np.ndarray:
        """Frame numbers [N, K] of each environment's last observation."""
        return _side_by_side([store.last for store in self.groups])

    def forget_last(self) -> None:
        """Let what is added next continue nothing."""
        for store in self.groups:
            store.has_last[:] = False

    def bounds(self, bounds: list[int], start: np.ndarray, window: Any) -> None:
        """Move the bounds below which no frame is needed any more.

        Args:
            bounds: One for each group, changed in place.
            start: Frame numbers [M, K] of the observations acted on.
            window: `NStepAccumulator` with the steps under way.
        """
        for place, (store, columns) in enumerate(
            zip(self.groups, self._columns, strict=True)
        ):
            needed = window.oldest(store.written, columns.own)
            numbers = start[:, columns.own]
            needed = numbers.min(where=numbers >= 0, initial=needed)
            bounds[place] = max(bounds[place], int(needed))

    def slots(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return where the frames of transitions lie: [M, 2 * K].

        Args:
            start: Frame numbers [M, K] of the observations acted on.
            end: Frame numbers [M, K] of the observations that followed.
        """
        for place, columns in enumerate(self._columns):
            if self._windows[place]:
                now, then = start[:, columns.own], end[:, columns.own]
                self._windows[place] = bool((now[:, 1:] == then[:, :-1]).all())
        if len(self.groups) == 1:
            return self.groups[0].slots(np.concatenate([start, end], axis=1))
        return np.concatenate(
            [
                store.slots(numbers[:, columns.own])
                for numbers in (start, end)
                for store, columns in zip(
                    self.groups, self._columns, strict=True
                )
            ],
            axis=1,
        )

    @property
    def zero_slots(self) -> list[int]:
        """Slots [K] of an observation that is zero everywhere."""
        return [
            store.num_frames
            for store, group in zip(
                self.groups, self._layout.groups, strict=True
            )
            for _ in range(group.stack)
        ]

    def read(
        self, slots: np.ndarray, rows: np.ndarray, slots_only: bool
    ) -> tuple[np.ndarray, ...]:
        """Return the frames of transitions, by leaves.

        Args:
            slots: Of all rows, what `slots` gave.
            rows: Rows [M] to read.
            slots_only: Whether to give, of stacks, the slots of their frames
                instead of the frames.

        Returns:
            Of each leaf an array [w, M, *frame], as in `Draw`.
        """
        leaves: list[Any] = [None] * len(self._layout.leaves)
        for group, store, window, columns in zip(
            self._layout.groups,
            self.groups,
            self._windows,
            self._columns,
            strict=True,
        ):
            chosen = slots[rows, columns.window if window else columns.both]
            if slots_only and group.is_stack:
                leaves[group.leaves[0]] = chosen
                continue
            parts = group.split(store.read(chosen), self._layout.leaves)
            for number, part in zip(group.leaves, parts, strict=True):
                leaves[number] = part
        return tuple(leaves)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array by name, for saving."""
        return {
            f"{name}_{place}": array
            for place, store in enumerate(self.groups)
            for name, array in store.state().items()
        }

    def counters(self) -> dict[str, Any]:
        """Return what has to be saved beside the arrays."""
        return {
            "windows": list(self._windows),
            "frames": [store.counters() for store in self.groups],
        }

    def prepare(self, counters: dict[str, Any]) -> None:
        """Give `arrays` the shapes that they had with these counters."""
        for store, own in zip(self.groups, counters["frames"], strict=True):
            store.prepare(own)

    def restore(
        self, arrays: dict[str, np.ndarray], counters: dict[str, Any]
    ) -> None:
        """Set the content to what `arrays` and `counters` returned."""
        for place, store in enumerate(self.groups):
            own = {name: arrays[f"{name}_{place}"] for name in store.state()}
            store.restore(own, counters["frames"][place])
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
