"""Names the distinct frames of the observations, and keeps each once."""

import math
from typing import Any

import numpy as np

from keras_rlkit.replay.saving.copying_in_pieces import copy_rows
from keras_rlkit.replay.storage.storage_settings import (
    Compressed,
    Disk,
    Memory,
    Size,
)

ZERO_FRAME = -1


class DistinctFrames:
    """A ring of frames, each named by the number in which it came.

    An observation is k frames. Successive observations share frames, so an
    observation is stored as k frame numbers, and only frames that were never
    seen before are copied. Whether a frame was seen before is decided by
    comparing bits, so what is read back is exactly what was written, for
    environments whose stacks are no shifted windows too; these only need more
    room. A frame of zeros is never stored. Where frames lie is the business
    of their storage.

    Args:
        num_frames: Number of frames that the ring holds.
        frame_shape: Shape of one frame.
        frame_dtype: NumPy dtype of one frame.
        num_envs: Number of environments N.
        stack: Number of frames k of an observation.
        storage: Where frames lie. Defaults to `Memory()`.
    """

    def __init__(
        self,
        num_frames: int,
        frame_shape: tuple[int, ...],
        frame_dtype: np.dtype,
        num_envs: int,
        stack: int,
        storage: Memory | Compressed | Disk | None = None,
    ):
        self.num_frames = num_frames
        self.frame_shape = frame_shape
        self.frame_dtype = frame_dtype
        # Comparing and copying go by machine words, not by elements.
        self.frame_bytes = math.prod(frame_shape) * frame_dtype.itemsize
        # Old frames are stored again rather than kept alive: the ring could not
        # move on otherwise.
        self._oldest_shared = 2 * stack * num_envs
        self._word = next(
            np.dtype(f"u{size}")
            for size in (8, 4, 2, 1)
            if self.frame_bytes % size == 0
        )
        words = self.frame_bytes // self._word.itemsize
        self.storage = (storage or Memory()).make(
            num_frames, words, self._word, num_envs
        )
        self.written = 0
        # How often all frames were replaced at once.
        self.replaced = 0
        # Numbers and words of each environment's last observation.
        self.last = np.full((num_envs, stack), ZERO_FRAME, np.int64)
        self._last_words = np.zeros((num_envs, stack, words), self._word)
        self.has_last = np.zeros(num_envs, bool)

    @staticmethod
    def size_of(
        num_frames: int,
        frame_shape: tuple[int, ...],
        frame_dtype: np.dtype,
        num_envs: int,
        stack: int,
        storage: Memory | Compressed | Disk,
    ) -> Size:
        """Return the bytes that a store with these arguments claims."""
        frame_bytes = math.prod(frame_shape) * frame_dtype.itemsize
        size = storage.size_of(num_frames, frame_bytes, num_envs)
        last = num_envs * (stack * (frame_bytes + 8) + 1)
        return size._replace(memory=size.memory + last)

    def words(self, observation: np.ndarray) -> np.ndarray:
        """Return observations [N, k, *frame] as words [N, k, words]."""
        observation = np.ascontiguousarray(observation, self.frame_dtype)
        flat = observation.reshape(observation.shape[:2] + (-1,))
        return flat.view(self._word)

    def slots(self, numbers: np.ndarray) -> np.ndarray:
        """Return the slots of the storage at which numbered frames lie."""
        return np.where(
            numbers == ZERO_FRAME, self.num_frames, numbers % self.num_frames
        )

    def read(self, slots: np.ndarray) -> np.ndarray:
        """Return the frames at some slots: [*slots.shape, *frame_shape]."""
        flat = self.storage.read(slots.reshape(-1))
        return flat.view(self.frame_dtype).reshape(
            slots.shape + self.frame_shape
        )

    def continues(self, observation: np.ndarray, since: int) -> np.ndarray:
        """Say where an observation is the last one that was written.

        Args:
            observation: Words [N, k, words].
            since: Frames with a smaller number don't count as known.

        Returns:
            Boolean [N].
        """
        same = self._last_words == observation
        fresh = (self.last == ZERO_FRAME) | (self.last >= since)
        return same.all(axis=(1, 2)) & fresh.all(axis=1) & self.has_last

    def number(
        self,
        valid: np.ndarray,
        continues: np.ndarray,
        observation: np.ndarray,
        next_observation: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, list[tuple[int, np.ndarray]]]:
        """Name the frames of one step, without writing them yet.

        Args:
            valid: Boolean [N], environments that really stepped.
            continues: Boolean [N], what `continues(observation)` gave.
            observation: Words [N, k, words].
            next_observation: Words [N, k, words].

        Returns:
            A tuple `(start, end, frames)`: frame numbers [N, k] of both
            observations and the new frames with their environments, in the
            order of their numbers, for `write`.
        """
        start = self.last.copy()
        end = np.empty_like(start)
        frames: list[tuple[int, np.ndarray]] = []
        shifted = (
            (next_observation[:, :-1] == observation[:, 1:])
            .all(axis=(1, 2))
            .tolist()
        )
        for row in np.nonzero(valid)[0].tolist():
            if not continues[row]:
                start[row] = self._number_stack(
                    row, observation[row], [], frames
                )
            if shifted[row]:
                end[row, :-1] = start[row, 1:]
                end[row, -1] = self.written + len(frames)
                frames.append((row, next_observation[row, -1]))
            else:
                known = [
                    (frame, number)
                    for frame, number in zip(
                        observation[row], start[row].tolist(), strict=True
                    )
                    if number >= self.written - self._oldest_shared
                ]
                end[row] = self._number_stack(
                    row, next_observation[row], known, frames
                )
        return start, end, frames

    def _number_stack(
        self,
        environment: int,
        stack: np.ndarray,
        known: list[tuple[np.ndarray, int]],
        frames: list[tuple[int, np.ndarray]],
    ) -> list[int]:
        known, numbers = list(known), []
        for frame in stack:
            number = next(
                (n for other, n in known if np.array_equal(other, frame)), None
            )
            if number is None and not frame.any():
                number = ZERO_FRAME
            elif number is None:
                number = self.written + len(frames)
                frames.append((environment, frame))
            known.append((frame, number))
            numbers.append(number)
        return numbers

    def oldest(self, coming: int) -> int:
        """Return the number from which on frames stay, once more have come.

        Args:
            coming: How many frames are about to be written.
        """
        return self.storage.oldest(self.written + coming)

    def write(self, frames: list[tuple[int, np.ndarray]]) -> None:
        """Store the frames that `number` named."""
        self.storage.write(self.written, frames)
        self.written += len(frames)

    def remember(
        self,
        valid: np.ndarray,
        end: np.ndarray,
        next_observation: np.ndarray,
    ) -> None:
        """Keep the last observations of valid environments.

        Args:
            valid: Boolean [N].
            end: Their frame numbers [N, k].
            next_observation: Their words [N, k, words].
        """
        self.last[valid] = end[valid]
        if valid.all():
            self._last_words[...] = next_observation
        else:
            self._last_words[valid] = next_observation[valid]
        self.has_last |= valid

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that `restore` takes."""
        return {
            **self.storage.arrays(),
            "frames_last": self.last,
            "frames_last_words": self._last_words,
            "frames_has_last": self.has_last,
        }

    def counters(self) -> dict[str, Any]:
        """Return what has to be saved beside the arrays."""
        return {"frames_written": self.written, **self.storage.counters()}

    def prepare(self, counters: dict[str, Any]) -> None:
        """Give `state` the shapes that it had with these counters."""
        self.storage.prepare(counters)
        self.written = counters["frames_written"]

    def restore(
        self, state: dict[str, np.ndarray], counters: dict[str, Any]
    ) -> None:
        """Set the content to what `state` and `counters` returned."""
        self.prepare(counters)
        for name, array in self.state().items():
            copy_rows(array, state[name])
        self.replaced += 1
        self.storage.restored()
