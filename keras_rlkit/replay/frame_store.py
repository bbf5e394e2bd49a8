"""Keeps each distinct frame of the observations once."""

import math

import numpy as np

ZERO_FRAME = -1


class FrameStore:
    """A ring of frames, each named by the number in which it came.

    An observation is k frames. Successive observations share frames, so an
    observation is stored as k frame numbers, and only frames that were never
    seen before are copied. Whether a frame was seen before is decided by
    comparing bits, so what is read back is exactly what was written, for
    environments whose stacks are no shifted windows too; these only need more
    room. A frame of zeros is never stored.

    Args:
        num_frames: Number of frames that the ring holds.
        frame_shape: Shape of one frame.
        frame_dtype: NumPy dtype of one frame.
        num_envs: Number of environments N.
        stack: Number of frames k of an observation.
    """

    def __init__(
        self,
        num_frames: int,
        frame_shape: tuple[int, ...],
        frame_dtype: np.dtype,
        num_envs: int,
        stack: int,
    ):
        self.num_frames = num_frames
        self.frame_shape = frame_shape
        self.frame_dtype = frame_dtype
        # Comparing and copying go by machine words, not by elements.
        frame_bytes = math.prod(frame_shape) * frame_dtype.itemsize
        # Old frames are stored again rather than kept alive: the ring could not
        # move on otherwise.
        self._oldest_shared = 2 * stack * num_envs
        self._word = next(
            np.dtype(f"u{size}")
            for size in (8, 4, 2, 1)
            if frame_bytes % size == 0
        )
        words = frame_bytes // self._word.itemsize
        self.frames = np.empty((num_frames + 1, words), self._word)
        # Touch every page now: if memory runs out, it does so here and not
        # days later. The last row stays zero: it is the zero frame.
        self.frames.fill(0)
        self.written = 0
        self.last = np.full((num_envs, stack), ZERO_FRAME, np.int64)
        self.has_last = np.zeros(num_envs, bool)

    @staticmethod
    def size_of(
        num_frames: int, frame_shape: tuple[int, ...], frame_dtype: np.dtype
    ) -> int:
        """Return the bytes that a store of `num_frames` frames takes."""
        frame_bytes = math.prod(frame_shape) * frame_dtype.itemsize
        return (num_frames + 1) * frame_bytes

    def words(self, observation: np.ndarray) -> np.ndarray:
        """Return observations [N, k, *frame] as words [N, k, words]."""
        observation = np.ascontiguousarray(observation, self.frame_dtype)
        flat = observation.reshape(observation.shape[:2] + (-1,))
        return flat.view(self._word)

    def slots(self, numbers: np.ndarray) -> np.ndarray:
        """Return the rows of `frames` at which numbered frames lie."""
        return np.where(
            numbers == ZERO_FRAME, self.num_frames, numbers % self.num_frames
        )

    def read(self, slots: np.ndarray) -> np.ndarray:
        """Return the frames at some rows: [*slots.shape, *frame_shape]."""
        # "clip" lets NumPy write straight into the result, "raise" does not.
        flat = self.frames.take(slots.reshape(-1), axis=0, mode="clip")
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
        rows = self.slots(self.last)
        known = self.frames.take(rows.reshape(-1), axis=0, mode="clip")
        same = known.reshape(observation.shape) == observation
        fresh = (self.last == ZERO_FRAME) | (self.last >= since)
        return same.all(axis=(1, 2)) & fresh.all(axis=1) & self.has_last

    def number(
        self,
        valid: np.ndarray,
        continues: np.ndarray,
        observation: np.ndarray,
        next_observation: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """Name the frames of one step, without writing them yet.

        Args:
            valid: Boolean [N], environments that really stepped.
            continues: Boolean [N], what `continues(observation)` gave.
            observation: Words [N, k, words].
            next_observation: Words [N, k, words].

        Returns:
            A tuple `(start, end, frames)`: frame numbers [N, k] of both
            observations and the new frames, in the order of their numbers,
            for `write`.
        """
        start = self.last.copy()
        end = np.empty_like(start)
        frames: list[np.ndarray] = []
        shifted = (
            (next_observation[:, :-1] == observation[:, 1:])
            .all(axis=(1, 2))
            .tolist()
        )
        for row in np.nonzero(valid)[0].tolist():
            if not continues[row]:
                start[row] = self._number_stack(observation[row], [], frames)
            if shifted[row]:
                end[row, :-1] = start[row, 1:]
                end[row, -1] = self.written + len(frames)
                frames.append(next_observation[row, -1])
            else:
                known = [
                    (frame, number)
                    for frame, number in zip(
                        observation[row], start[row].tolist(), strict=True
                    )
                    if number >= self.written - self._oldest_shared
                ]
                end[row] = self._number_stack(
                    next_observation[row], known, frames
                )
        return start, end, frames

    def _number_stack(
        self,
        stack: np.ndarray,
        known: list[tuple[np.ndarray, int]],
        frames: list[np.ndarray],
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
                frames.append(frame)
            known.append((frame, number))
            numbers.append(number)
        return numbers

    def write(self, frames: list[np.ndarray]) -> None:
        """Store the frames that `number` named."""
        for frame in frames:
            self.frames[self.written % self.num_frames] = frame
            self.written += 1

    def remember(self, valid: np.ndarray, end: np.ndarray) -> None:
        """Keep the last observations' frame numbers of valid environments."""
        self.last[valid] = end[valid]
        self.has_last |= valid

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that `restore` takes."""
        return {
            "frames": self.frames,
            "frames_last": self.last,
            "frames_has_last": self.has_last,
        }

    def restore(self, state: dict[str, np.ndarray], written: int) -> None:
        """Set the content to what `state` returned."""
        for name, array in self.state().items():
            array[...] = state[name]
        self.written = written
