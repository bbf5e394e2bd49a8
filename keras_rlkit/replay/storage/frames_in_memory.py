"""Frames in memory, as they are."""

import numpy as np

from keras_rlkit.replay.storage.frame_medium import FrameMedium


class FramesInMemory(FrameMedium):
    """One array with a row for each frame.

    Args:
        num_frames: Number of frames to keep.
        words: Machine words of a frame.
        word: NumPy dtype of a word.
    """

    def __init__(self, num_frames: int, words: int, word: np.dtype):
        super().__init__(num_frames)
        self._frames = np.empty((num_frames + 1, words), word)
        # Touch every page now: if memory runs out, it does so here and not
        # days later. The last row stays zero: it is the zero frame.
        self._frames.fill(0)

    def write(self, number: int, frames: list[tuple[int, np.ndarray]]) -> None:
        """Store frames, as `FrameMedium` describes."""
        for _, frame in frames:
            self._frames[number % self.num_frames] = frame
            number += 1

    def read(self, slots: np.ndarray) -> np.ndarray:
        """Return frames, as `FrameMedium` describes."""
        # "clip" lets NumPy write straight into the result, "raise" does not.
        return self._frames.take(slots, axis=0, mode="clip")

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the array of all frames."""
        return {"frames": self._frames}
