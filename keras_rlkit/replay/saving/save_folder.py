"""Saves of a state in one folder: atomic, incremental, checked."""

import contextlib
import hashlib
import json
import os
import pathlib
import warnings
from typing import Any

import numpy as np

from keras_rlkit.replay.saving.packing import PLAIN_KINDS, pack, unpack

FORMAT = "keras_rlkit.save"
VERSION = 2
# Saves that are kept: if the last one is damaged, the one before still loads.
KEPT = 2
BLOCK_BYTES = 2**20
UNFINISHED = ".unfinished"


class SaveFolder:
    """A folder that holds the last saves of a state.

    Arrays are cut into blocks, and a block is a file named by the hash of its
    bytes. So a save writes only the blocks that no earlier save has, and a
    damaged block can't go unnoticed. A save exists once its manifest does:
    the manifest is written last, under another name, and renamed. Whatever
    interrupts a save leaves the one before it as it was.

    Nothing that is read from the folder is ever run: manifests are JSON,
    blocks are bytes of numbers.

    Args:
        folder: Path of the folder; made when the first save is written.

    Example:

    ```python
    from keras_rlkit.replay.saving.save_folder import SaveFolder

    saves = SaveFolder("saves")
    saves.write({"step": 3, "weights": np.zeros(4)})
    saves.read()["step"]  # 3
    ```
    """

    def __init__(self, folder: str | pathlib.Path):
        self.folder = pathlib.Path(folder)
        self._blocks = self.folder / "blocks"
        # Blocks whose content this object has seen or written. Others are
        # written again: they may be what damaged an earlier save.
        self._sound: set[str] = set()

    def write(self, state: dict[str, Any]) -> None:
        """Write a save, then remove what only older ones needed.

        Args:
            state: What `states.pack` takes.

        Raises:
            OSError: If the disk is full or can't be written. The last save
                is still there.
        """
        tree, arrays = pack(state)
        numbers = self._numbers()
        number = max(numbers, default=0) + 1
        try:
            self._blocks.mkdir(parents=True, exist_ok=True)
            content = {"state": tree, **self._write_arrays(arrays)}
            _sync(self._blocks)
            self._write(self._manifest(number), _sealed(content))
        except OSError as error:
            with contextlib.suppress(OSError, TypeError, ValueError):
                self._remove_blocks(numbers)
            raise OSError(
                error.errno,
                f"The save in {str(self.folder)!r} could not be written: "
                f"{error}. The save before it is intact. Make room, or repair "
                "the disk, and start again",
            ) from error
        kept = [*numbers, number][-KEPT:]
        for old in set(numbers) - set(kept):
            self._manifest(old).unlink(missing_ok=True)
        # Without a list of what a damaged save needs, nothing is removed.
        with contextlib.suppress(TypeError, ValueError):
            self._remove_blocks(kept)

    def read(self) -> dict[str, Any] | None:
        """Read the last save that is complete and undamaged.

        Returns:
            The state, or `None` if there is no save. Its larger arrays stay
            on disk until they are asked for: `array[start:stop]` reads some
            rows, `array[...]` or `np.asarray` all of them.

        Raises:
            ValueError: If there are saves but all of them are damaged, or the
                last one is of a newer version.
        """
        damages = []
        for number in reversed(self._numbers()):
            try:
                version, content = self._read_manifest(number)
                if version == VERSION:
                    arrays = self._check_arrays(content)
                    state = unpack(content["state"], arrays)
            except (OSError, LookupError, TypeError, ValueError) as error:
                damages.append(f"save {number}: {error}")
                continue
            if version != VERSION:
                raise ValueError(
                    f"`folder` must hold saves of version {VERSION}. Received: "
                    f"folder={str(self.folder)!r} with version={version}. Use "
                    "the version of keras_rlkit that wrote it, or a later one."
                )
            if damages:
                warnings.warn(
                    f"A damaged save in {str(self.folder)!r} was passed over "
                    f"({'; '.join(damages)}). Save {number}, the one before, "
                    "is used.",
                    stacklevel=2,
                )
            return state
        if damages:
            raise ValueError(
                "`folder` must hold an undamaged save. Received: "
                f"folder={str(self.folder)!r} with {'; '.join(damages)}. "
                "Remove the folder to start from the beginning."
            )
        return None

    def _manifest(self, number: int) -> pathlib.Path:
        return self.folder / f"save_{number:08d}.json"

    def _numbers(self) -> list[int]:
        names = (path.stem[5:] for path in self.folder.glob("save_*.json"))
        return sorted(int(name) for name in names if name.isdecimal())

    def _write_arrays(self, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
        """Write what is new; return what the manifest says about arrays.

        Small arrays are put one behind the other and share blocks.
        """
        known = self._sound & set(os.listdir(self._blocks))
        layouts, small, large = {}, bytearray(), {}
        for name, array in arrays.items():
            layouts[name] = {"shape": array.shape, "dtype": array.dtype.str}
            content = _bytes_of(array)
            if len(content) >= BLOCK_BYTES:
                large[name] = self._write_blocks(content, known)
            else:
                layouts[name]["offset"] = len(small)
                small += content
        return {
            "arrays": layouts,
            "small": self._write_blocks(memoryview(small), known),
            "large": large,
        }

    def _write_blocks(self, content: memoryview, known: set[str]) -> list[str]:
        names = []
        for start in range(0, len(content), BLOCK_BYTES):
            block = content[start : start + BLOCK_BYTES]
            name = _hash(block)
            if name not in known:
                self._write(self._blocks / name, block)
                known.add(name)
                self._sound.add(name)
            names.append(name)
        return names

    def _write(self, path: pathlib.Path, content: bytes | memoryview) -> None:
        unfinished = path.with_name(path.name + UNFINISHED)
        try:
            with open(unfinished, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        if path.parent == self.folder:
            _sync(self.folder)

    def _read_manifest(self, number: int) -> tuple[int, Any]:
        """Return version and content, which is `None` in another version."""
        return _unsealed(self._manifest(number).read_bytes())

    def _check_arrays(self, content: dict[str, Any]) -> dict[str, Any]:
        """Read every block once; return small arrays and handles of large."""
        small = b"".join(map(self._read_block, content["small"]))
        arrays = {}
        for name, layout in content["arrays"].items():
            dtype, shape = np.dtype(layout["dtype"]), tuple(layout["shape"])
            if dtype.kind not in PLAIN_KINDS:
                raise ValueError(f"array {name} has the dtype {dtype}")
            if name in content["large"]:
                array = StoredArray(
                    shape, dtype, content["large"][name], self._read_block
                )
                array.check()
            else:
                size = int(np.prod(shape, dtype=np.int64))
                array = np.frombuffer(small, dtype, size, layout["offset"])
                array = array.reshape(shape)
            arrays[name] = array
        return arrays

    def _read_block(self, name: str) -> bytes:
        content = (self._blocks / name).read_bytes()
        if _hash(content) != name:
            raise ValueError(f"block {name} is damaged")
        self._sound.add(name)
        return content

    def _remove_blocks(self, numbers: list[int]) -> None:
        """Remove every block that none of some saves needs."""
        needed: set[str] = set()
        for number in numbers:
            _, content = self._read_manifest(number)
            needed.update(content["small"], *content["large"].values())
        for path in self._blocks.iterdir():
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


def _bytes_of(array: np.ndarray) -> memoryview:
    flat = np.ascontiguousarray(array).reshape(-1)
    return memoryview(flat.view(np.uint8) if flat.size else b"")


def _hash(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()[:40]


def _sealed(content: dict[str, Any]) -> bytes:
    """Return a manifest: a line with format, version and hash, then JSON."""
    text = f"{VERSION} {json.dumps(content)}".encode()
    seal = hashlib.sha256(text).hexdigest()
    return f"{FORMAT} {seal} ".encode() + text


def _unsealed(manifest: bytes) -> tuple[int, Any]:
    known, seal, text = (*manifest.split(b" ", 2), b"", b"")[:3]
    if known != FORMAT.encode():
        raise ValueError(f"its manifest doesn't begin with {FORMAT!r}")
    if hashlib.sha256(text).hexdigest().encode() != seal:
        raise ValueError("its manifest is damaged")
    version, content = text.split(b" ", 1)
    # What another version writes need not be JSON.
    same = int(version) == VERSION
    return int(version), json.loads(content) if same else None


def _sync(folder: pathlib.Path) -> None:
    """Make names in a folder outlast a power failure, where that works."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
