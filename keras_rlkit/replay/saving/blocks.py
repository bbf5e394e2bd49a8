"""Arrays in blocks: files that are named by the hash of their bytes."""

import hashlib
import os
import pathlib
from collections.abc import Collection
from typing import Any

import numpy as np

from keras_rlkit.replay.saving.whole_files import sync_names, whole_file

BLOCK_BYTES = 2**20


class Blocks:
    """A folder of blocks, each written once and checked when it is read.

    Args:
        folder: Path of the folder; made when the first block is written.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        # Blocks whose content this object has seen or written. Others are
        # written again: they may be what damaged an earlier save.
        self._sound: set[str] = set()
        self._present: set[str] = set()

    def begin(self) -> None:
        """Get ready to write: learn which sound blocks are there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._present = self._sound & set(os.listdir(self.folder))

    def write(self, content: memoryview) -> list[str]:
        """Write the blocks of some bytes that are not there.

        Args:
            content: The bytes.

        Returns:
            The names of all of their blocks, in order.
        """
        names = []
        for start in range(0, len(content), BLOCK_BYTES):
            block = content[start : start + BLOCK_BYTES]
            name = _hash(block)
            if name not in self._present:
                with whole_file(self.folder / name) as file:
                    file.write(block)
                self._present.add(name)
                self._sound.add(name)
            names.append(name)
        return names

    def sync(self) -> None:
        """Make the names of blocks outlast a power failure."""
        sync_names(self.folder)

    def read(self, name: str) -> bytes:
        """Return a block's bytes.

        Raises:
            OSError: If there is no such block.
            ValueError: If it is damaged.
        """
        content = (self.folder / name).read_bytes()
        if _hash(content) != name:
            raise ValueError(f"block {name} is damaged")
        self._sound.add(name)
        return content

    def keep(self, needed: Collection[str]) -> None:
        """Remove all blocks but some."""
        for path in self.folder.iterdir():
            if path.name not in needed:
                path.unlink(missing_ok=True)


class StoredArray:
    """An array whose rows are read from blocks when they are asked for.

    Args:
        shape: Shape of the array, of one dimension at least.
        dtype: NumPy dtype.
        blocks: Names of its blocks, in order.
        read_block: Gives a block's bytes for its name, or raises.
    """

    def __init__(self, shape, dtype, blocks, read_block):
        self.shape = shape
        self.dtype = dtype
        self._blocks = blocks
        self._read_block = read_block

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def check(self) -> None:
        """Raise unless all blocks are there, undamaged and of one size."""
        sizes = [len(self._read_block(name)) for name in self._blocks]
        full = all(size == BLOCK_BYTES for size in sizes[:-1])
        if not full or sum(sizes) != self.nbytes:
            raise ValueError("the blocks of an array don't fit its shape")

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return some rows: a slice without step, or all of them for `...`."""
        start, stop, _ = (slice(None) if rows is ... else rows).indices(
            self.shape[0]
        )
        row_bytes = self.nbytes // self.shape[0]
        first, last = start * row_bytes, stop * row_bytes
        blocks = range(first // BLOCK_BYTES, -(-last // BLOCK_BYTES))
        content = b"".join(self._read_block(self._blocks[i]) for i in blocks)
        skipped = first - blocks.start * BLOCK_BYTES
        size = (last - first) // self.dtype.itemsize
        flat = np.frombuffer(content, self.dtype, size, skipped)
        return flat.reshape(stop - start, *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        """Return the whole array in memory."""
        return np.asarray(self[...], dtype)


def bytes_of(array: np.ndarray) -> memoryview:
    """Return the bytes of an array, copied only where it has gaps."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return memoryview(flat.view(np.uint8) if flat.size else b"")


def _hash(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()[:40]
