"""Frames in memory, compressed without loss."""

import warnings
from typing import Any

import numpy as np

from keras_rlkit.replay.storage.byte_segments import ByteSegments
from keras_rlkit.replay.storage.frame_medium import FrameMedium

# Frames of one environment that are compressed together. More make blocks
# smaller and slower: a window of five frames reads (4 + G) frames on average.
FRAMES_PER_BLOCK = 8
COMPRESSION_LEVEL = 1
SEGMENT_BYTES = 2**20


class FramesCompressed(FrameMedium):
    """Blocks of successive frames, each compressed by Zstandard.

    Each environment fills a block of its own, which lies open until it is
    full. Within a block Zstandard finds most of a frame in the frame before
    it, so that a block costs little more than its first frame. Every frame
    has an entry that says in which block it lies; blocks are finished in the
    order of their newest frames and leave in the same order.

    Content that can't be compressed takes as much room as it does as it is.
    Where `limit` or the machine leave no room, the oldest frames leave early.

    Args:
        num_frames: Number of frames to keep.
        words: Machine words of a frame.
        word: NumPy dtype of a word.
        num_envs: Number of environments N.
        limit: Bytes that the blocks may take, or `None` for as many as the
            machine has.

    Raises:
        ImportError: If the package `zstandard` is missing.
    """

    def __init__(
        self,
        num_frames: int,
        words: int,
        word: np.dtype,
        num_envs: int,
        limit: int | None,
    ):
        super().__init__(num_frames)
        zstandard = _import_zstandard()
        self._compressor = zstandard.ZstdCompressor(
            level=COMPRESSION_LEVEL, write_content_size=False
        )
        self._decompressor = zstandard.ZstdDecompressor()
        frame_bytes = words * word.itemsize
        self._block_bytes = FRAMES_PER_BLOCK * frame_bytes
        # Blocks that can't be compressed become a little longer.
        longest = self._block_bytes + self._block_bytes // 128 + 128
        self._arena = ByteSegments(max(SEGMENT_BYTES, 8 * longest), limit)
        self._num_blocks = _num_blocks(num_frames, num_envs)
        # The last one belongs to no environment: it holds the zero frame.
        self._open = np.zeros((num_envs + 1, FRAMES_PER_BLOCK, words), word)
        self._open_numbers = np.zeros((num_envs, FRAMES_PER_BLOCK), np.int64)
        self._open_count = np.zeros(num_envs, np.int64)
        # Finished blocks form a ring; the open ones are numbered behind it.
        self._address = np.zeros(self._num_blocks, np.int64)
        self._length = np.zeros(self._num_blocks, np.int32)
        self._newest = np.zeros(self._num_blocks, np.int64)
        self._finished = 0
        self._forgotten = 0
        # Where a slot's frame lies: block * FRAMES_PER_BLOCK + position.
        self._place = np.zeros(num_frames + 1, np.int32)
        zeros = self._num_blocks + num_envs
        self._place[num_frames] = zeros * FRAMES_PER_BLOCK
        self._kept_from = 0

    @staticmethod
    def size_of(num_frames: int, frame_bytes: int, num_envs: int) -> int:
        """Return the bytes taken beside those of the finished blocks."""
        open_blocks = (num_envs + 1) * FRAMES_PER_BLOCK * frame_bytes
        ring = _num_blocks(num_frames, num_envs) * (8 + 4 + 8)
        return open_blocks + ring + (num_frames + 1) * 4

    def oldest(self, written: int) -> int:
        """Return a number, as `FrameMedium` describes."""
        return max(super().oldest(written), self._kept_from)

    def write(self, number: int, frames: list[tuple[int, np.ndarray]]) -> None:
        """Store frames, as `FrameMedium` describes."""
        for environment, frame in frames:
            position = int(self._open_count[environment])
            block = self._num_blocks + environment
            self._open[environment, position] = frame
            self._open_numbers[environment, position] = number
            self._place[number % self.num_frames] = (
                block * FRAMES_PER_BLOCK + position
            )
            number += 1
            self._open_count[environment] = position + 1
            if position + 1 == FRAMES_PER_BLOCK:
                self._finish(environment, number)

    def _finish(self, environment: int, written: int) -> None:
        """Compress the block of an environment and begin it anew."""
        oldest = written - self.num_frames
        self._forget_before(oldest)
        content = self._compressor.compress(self._open[environment])
        row = self._finished % self._num_blocks
        self._address[row] = self._append(content)
        self._length[row] = len(content)
        numbers = self._open_numbers[environment]
        self._newest[row] = numbers[-1]
        self._finished += 1
        # A slow environment's block may begin with frames whose slots have
        # passed to others.
        kept = numbers >= oldest
        places = row * FRAMES_PER_BLOCK + np.arange(FRAMES_PER_BLOCK)
        self._place[numbers[kept] % self.num_frames] = places[kept]
        self._open_count[environment] = 0

    def _forget_before(self, number: int) -> None:
        """Release the blocks of which no frame is needed any more."""
        while self._forgotten < self._finished:
            row = self._forgotten % self._num_blocks
            if self._newest[row] >= number:
                break
            self._forgotten += 1
        self._release()

    def _append(self, content: bytes) -> int:
        while (address := self._arena.append(content)) is None:
            if not self._kept_from:
                warnings.warn(
                    "The compressed replay buffer has reached its limit or "
                    "the machine's memory: its oldest transitions make room. "
                    "Give it a smaller `capacity`, or a larger `limit` in "
                    "`storage=keras_rlkit.replay.Compressed(limit)`.",
                    stacklevel=2,
                )
            row = self._forgotten % self._num_blocks
            if self._forgotten < self._finished:
                self._kept_from = int(self._newest[row]) + 1
                self._forgotten += 1
            self._release()
        return address

    def _release(self) -> None:
        row = self._forgotten % self._num_blocks
        any_left = self._forgotten < self._finished
        self._arena.release(int(self._address[row]) if any_left else None)

    def read(self, slots: np.ndarray) -> np.ndarray:
        """Return frames, as `FrameMedium` describes."""
        frames = np.empty((len(slots), *self._open.shape[2:]), self._open.dtype)
        places = self._place.take(slots)
        order = np.argsort(places, kind="stable")
        blocks, positions = np.divmod(places[order], FRAMES_PER_BLOCK)
        current, content = -1, self._open[0]
        for row, block, position in zip(
            order.tolist(), blocks.tolist(), positions.tolist(), strict=True
        ):
            if block != current:
                current, content = block, self._block(block)
            frames[row] = content[position]
        return frames

    def _block(self, number: int) -> np.ndarray:
        if number >= self._num_blocks:
            return self._open[number - self._num_blocks]
        content = self._decompressor.decompress(
            self._arena.read(
                int(self._address[number]), int(self._length[number])
            ),
            max_output_size=self._block_bytes,
        )
        return np.frombuffer(content, self._open.dtype).reshape(
            self._open.shape[1:]
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array by name, segment by segment."""
        segments = {
            f"frames_segment_{number:05d}": segment
            for number, segment in enumerate(self._arena.segments)
        }
        return {
            "frames_open": self._open,
            "frames_open_numbers": self._open_numbers,
            "frames_open_count": self._open_count,
            "frames_address": self._address,
            "frames_length": self._length,
            "frames_newest": self._newest,
            "frames_place": self._place,
            **segments,
        }

    def counters(self) -> dict[str, Any]:
        """Return what has to be saved beside the arrays."""
        return {
            "frames_finished": self._finished,
            "frames_forgotten": self._forgotten,
            "frames_kept_from": self._kept_from,
            "frames_arena": self._arena.counters(),
        }

    def prepare(self, counters: dict[str, Any]) -> None:
        """Have the segments that these counters speak of."""
        self._arena.prepare(counters["frames_arena"])
        self._finished = counters["frames_finished"]
        self._forgotten = counters["frames_forgotten"]
        self._kept_from = counters["frames_kept_from"]

    def restored(self) -> None:
        """Check that every entry points at something."""
        size = self._arena.segment_bytes
        ends = self._address % size + self._length
        blocks = len(self._open) + self._num_blocks
        sound = (
            (self._address >= 0)
            & (self._address < len(self._arena.segments) * size)
            & (self._length >= 0)
            & (ends <= size)
        ).all()
        sound &= (self._place >= 0).all()
        sound &= (self._place < blocks * FRAMES_PER_BLOCK).all()
        sound &= (self._open_count >= 0).all()
        sound &= (self._open_count < FRAMES_PER_BLOCK).all()
        if not sound:
            raise ValueError(
                "A compressed buffer must point at blocks that it holds. "
                "Received: addresses out of range."
            )


def _num_blocks(num_frames: int, num_envs: int) -> int:
    # All frames of an environment's blocks are needed, save those of its
    # oldest block, of which one frame may be.
    return num_frames // FRAMES_PER_BLOCK + num_envs + 1


def _import_zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise ImportError(
            '`storage="compressed"` needs the package `zstandard`. '
            "Use `pip install keras-rlkit[compressed]`."
        ) from error
    return zstandard
