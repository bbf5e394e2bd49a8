"""Frames in a file, with the operating system's page cache before it."""

import os
import tempfile

import numpy as np

from keras_rlkit.replay.storage.frame_medium import FrameMedium

# Neighbouring frames are read in one call, up to so many.
LONGEST_RUN = 64


class FramesOnDisk(FrameMedium):
    """A file with a row for each frame.

    The file has no name and vanishes with the process, however that ends.
    Its whole size is claimed at once. Frames are read and written by calls
    rather than through mapped memory: pages of the cache then don't count as
    memory of the process, and a broken disk raises `OSError` instead of
    ending the process.

    Args:
        num_frames: Number of frames to keep.
        words: Machine words of a frame.
        word: NumPy dtype of a word.
        folder: Folder on the disk to use.

    Raises:
        OSError: If the disk has no room for the file, or the system has no
            calls for reading at an offset.
    """

    def __init__(
        self, num_frames: int, words: int, word: np.dtype, folder: str
    ):
        super().__init__(num_frames)
        self._word = word
        self._frame_bytes = words * word.itemsize
        # The last row stays zero: it is the zero frame.
        self._shape = (num_frames + 1, words)
        if not hasattr(os, "preadv"):
            raise OSError(
                "`storage` can't be on disk on this operating system, which "
                'lacks `os.preadv`. Use `storage="compressed"`.'
            )
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)
        try:
            _allocate(self._file.fileno(), self._shape[0] * self._frame_bytes)
        except OSError:
            self._file.close()
            raise

    def write(self, number: int, frames: list[tuple[int, np.ndarray]]) -> None:
        """Store frames, as `FrameMedium` describes."""
        descriptor = self._file.fileno()
        for _, frame in frames:
            place = number % self.num_frames * self._frame_bytes
            written = os.pwrite(descriptor, np.ascontiguousarray(frame), place)
            self._check("written", written, 1)
            number += 1

    def read(self, slots: np.ndarray) -> np.ndarray:
        """Return frames, as `FrameMedium` describes."""
        descriptor = self._file.fileno()
        frames = np.empty((len(slots), self._shape[1]), self._word)
        rows = [*frames]
        order = np.argsort(slots, kind="stable")
        sorted_slots = slots[order]
        gaps = np.flatnonzero(np.diff(sorted_slots) != 1) + 1
        starts = [0, *gaps.tolist()]
        stops = [*gaps.tolist(), len(slots)]
        targets = [rows[row] for row in order.tolist()]
        places = (sorted_slots.astype(np.int64) * self._frame_bytes).tolist()
        for start, stop in zip(starts, stops, strict=True):
            for first in range(start, stop, LONGEST_RUN):
                run = targets[first : min(stop, first + LONGEST_RUN)]
                read = os.preadv(descriptor, run, places[first])
                self._check("read", read, len(run))
        return frames

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the file as an array, mapped while it is in use."""
        return {
            "frames": np.memmap(self._file, self._word, "r+", 0, self._shape)
        }

    def _check(self, done: str, size: int, frames: int) -> None:
        if size != frames * self._frame_bytes:
            raise OSError(
                f"A frame of the replay buffer could not be {done} whole: "
                f"{size} of {frames * self._frame_bytes} bytes. Check the disk."
            )


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)
