"""Saves of a state in one folder: atomic, incremental, checked."""

import contextlib
import pathlib
import warnings
from typing import Any

import numpy as np

from keras_rlkit.replay.saving import blocks, manifest
from keras_rlkit.replay.saving.packing import (
    PLAIN_KINDS,
    pack,
    unpack,
)
from keras_rlkit.replay.saving.whole_files import sync_names, whole_file

# Saves that are kept: if the last one is damaged, the one before still loads.
KEPT = 2


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
        self._blocks = blocks.Blocks(self.folder / "blocks")

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
            content = {"state": tree, **self._write_arrays(arrays)}
            self._blocks.sync()
            self._write(self._manifest(number), manifest.sealed(content))
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
                if version == manifest.VERSION:
                    arrays = self._check_arrays(content)
                    state = unpack(content["state"], arrays)
            except (OSError, LookupError, TypeError, ValueError) as error:
                damages.append(f"save {number}: {error}")
                continue
            if version != manifest.VERSION:
                raise ValueError(
                    "`folder` must hold saves of version "
                    f"{manifest.VERSION}. Received: "
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
        self._blocks.begin()
        layouts, small, large = {}, bytearray(), {}
        for name, array in arrays.items():
            layouts[name] = {"shape": array.shape, "dtype": array.dtype.str}
            content = blocks.bytes_of(array)
            if len(content) >= blocks.BLOCK_BYTES:
                large[name] = self._blocks.write(content)
            else:
                layouts[name]["offset"] = len(small)
                small += content
        return {
            "arrays": layouts,
            "small": self._blocks.write(memoryview(small)),
            "large": large,
        }

    def _write(self, path: pathlib.Path, content: bytes) -> None:
        with whole_file(path) as file:
            file.write(content)
        sync_names(self.folder)

    def _read_manifest(self, number: int) -> tuple[int, Any]:
        """Return version and content, which is `None` in another version."""
        return manifest.unsealed(self._manifest(number).read_bytes())

    def _check_arrays(self, content: dict[str, Any]) -> dict[str, Any]:
        """Read every block once; return small arrays and handles of large."""
        small = b"".join(map(self._blocks.read, content["small"]))
        arrays = {}
        for name, layout in content["arrays"].items():
            dtype, shape = np.dtype(layout["dtype"]), tuple(layout["shape"])
            if dtype.kind not in PLAIN_KINDS:
                raise ValueError(f"array {name} has the dtype {dtype}")
            if name in content["large"]:
                array = blocks.StoredArray(
                    shape, dtype, content["large"][name], self._blocks.read
                )
                array.check()
            else:
                size = int(np.prod(shape, dtype=np.int64))
                array = np.frombuffer(small, dtype, size, layout["offset"])
                array = array.reshape(shape)
            arrays[name] = array
        return arrays

    def _remove_blocks(self, numbers: list[int]) -> None:
        """Remove every block that none of some saves needs."""
        needed: set[str] = set()
        for number in numbers:
            _, content = self._read_manifest(number)
            needed.update(content["small"], *content["large"].values())
        self._blocks.keep(needed)
