"""What a frame store asks of the place where its frames lie."""

from typing import Any

import numpy as np


class FrameMedium:
    """Keeps the last `num_frames` frames, as rows of machine words.

    Frames are numbered in the order in which they came. The slot of frame i
    is `i % num_frames`; slot `num_frames` is a frame of zeros that is always
    there.

    Args:
        num_frames: Number of frames to keep.
    """

    def __init__(self, num_frames: int):
        self.num_frames = num_frames

    def oldest(self, written: int) -> int:
        """Return the number from which on all frames can be read.

        Args:
            written: How many frames were written by then.
        """
        return written - self.num_frames

    def write(self, number: int, frames: list[tuple[int, np.ndarray]]) -> None:
        """Store frames in the place of the oldest ones.

        Args:
            number: Number of the first of them.
            frames: Pairs `(environment, words)`, in the order of their
                numbers.
        """
        raise NotImplementedError

    def read(self, slots: np.ndarray) -> np.ndarray:
        """Return the frames at some slots [M] as words [M, words]."""
        raise NotImplementedError

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array by name, for saving."""
        raise NotImplementedError

    def counters(self) -> dict[str, Any]:
        """Return what has to be saved beside the arrays, for JSON."""
        return {}

    def prepare(self, counters: dict[str, Any]) -> None:
        """Give `arrays` the shapes that they had with these counters."""

    def restored(self) -> None:
        """Check what was copied into `arrays` from a file.

        Raises:
            ValueError: If no storage can have written it.
        """
