"""Where a replay buffer keeps its frames: the values of `storage`."""

import os
import tempfile
from typing import Any, NamedTuple

import numpy as np

from keras_rlkit.replay.storage.frame_medium import FrameMedium
from keras_rlkit.replay.storage.frames_compressed import FramesCompressed
from keras_rlkit.replay.storage.frames_in_memory import FramesInMemory
from keras_rlkit.replay.storage.frames_on_disk import FramesOnDisk
from keras_rlkit.utils import check_choice, check_positive_integer


class Size(NamedTuple):
    """Bytes in memory, and bytes on disk."""

    memory: int
    disk: int


class Memory:
    """Keeps frames in memory, as they are. The default.

    The fastest storage. For `ReplayBuffer(storage=...)`, where `"memory"`
    means the same.

    Example:

    ```python
    replay = rlk.replay.ReplayBuffer(
        capacity=1_000,
        observation_shape=(4,),
        observation_dtype="float32",
        storage=rlk.replay.Memory(),
    )
    ```
    """

    def make(
        self, num_frames: int, words: int, word: np.dtype, num_envs: int
    ) -> FrameMedium:
        """Return storage for `num_frames` frames of some machine words."""
        return FramesInMemory(num_frames, words, word)

    def size_of(self, num_frames: int, frame_bytes: int, num_envs: int) -> Size:
        """Return the bytes that this storage claims at once."""
        return Size((num_frames + 1) * frame_bytes, 0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}


class Compressed:
    """Keeps frames in memory, compressed without loss by Zstandard.

    For images that change little from one step to the next: frames of Space
    Invaders take 1/30 of their size. A batch takes longer than from `Memory`,
    about 1 ms for 32 transitions of 84x84x4, and is the same bit for bit.
    Needs the package `zstandard` (`pip install keras-rlkit[compressed]`).

    How much room frames will take can't be known beforehand, so memory is
    claimed as it is needed. Frames of noise take as much as in `Memory`, and
    up to an eighth more. Where `limit` is reached, or the machine has less
    than 256 MiB left, the oldest transitions make room, with a warning, and
    `len(buffer)` stays below `capacity`. A run that has to repeat exactly in
    that case too needs a `limit` that is reached before the machine's.

    For `ReplayBuffer(storage=...)`, where `"compressed"` means
    `Compressed()`.

    Args:
        limit: Bytes that compressed frames may take, in segments of 1 MiB, or
            `None` for as many as they need. Defaults to `None`.

    Raises:
        ValueError: If `limit` is no positive integer.

    Example:

    ```python
    replay = rlk.replay.ReplayBuffer(
        capacity=1_000,
        observation_shape=(84, 84, 4),
        observation_dtype="uint8",
        frame_stack=4,
        storage=rlk.replay.Compressed(limit=2**20),
    )
    ```

    Reference:
        Collet and Kucherawy, Zstandard Compression and the
        application/zstd Media Type, https://www.rfc-editor.org/rfc/rfc8878
    """

    def __init__(self, limit: int | None = None):
        self.limit = (
            None if limit is None else check_positive_integer("limit", limit)
        )

    def make(
        self, num_frames: int, words: int, word: np.dtype, num_envs: int
    ) -> FrameMedium:
        """Return storage for `num_frames` frames of some machine words."""
        return FramesCompressed(num_frames, words, word, num_envs, self.limit)

    def size_of(self, num_frames: int, frame_bytes: int, num_envs: int) -> Size:
        """Return the bytes that this storage claims at once."""
        return Size(
            FramesCompressed.size_of(num_frames, frame_bytes, num_envs), 0
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"limit": self.limit}


class Disk:
    """Keeps frames in a file, as they are.

    The operating system keeps the part that is in use in whatever memory is
    free. A file of the full size is made at once, so that a full disk shows
    at the start; it has no name, belongs to this buffer alone and vanishes
    with it, or with the process. `ReplayBuffer.save` is what keeps a buffer.

    For `ReplayBuffer(storage=...)`, where `"disk"` means `Disk()`.

    Args:
        folder: Existing folder on the disk to use. `None` takes the system's
            folder for temporary files, which on some systems lies in memory:
            give one there. Defaults to `None`.

    Raises:
        ValueError: If there is no such folder.

    Example:

    ```python
    replay = rlk.replay.ReplayBuffer(
        capacity=1_000,
        observation_shape=(84, 84, 4),
        observation_dtype="uint8",
        frame_stack=4,
        storage=rlk.replay.Disk("."),
    )
    ```
    """

    def __init__(self, folder: str | os.PathLike | None = None):
        self.folder = None if folder is None else os.fspath(folder)
        if not os.path.isdir(self.path):
            raise ValueError(
                "`folder` must be a folder that exists. Received: "
                f"folder={folder!r}."
            )

    @property
    def path(self) -> str:
        """The folder in use."""
        return tempfile.gettempdir() if self.folder is None else self.folder

    def make(
        self, num_frames: int, words: int, word: np.dtype, num_envs: int
    ) -> FrameMedium:
        """Return storage for `num_frames` frames of some machine words."""
        return FramesOnDisk(num_frames, words, word, self.path)

    def size_of(self, num_frames: int, frame_bytes: int, num_envs: int) -> Size:
        """Return the bytes that this storage claims at once."""
        return Size(0, (num_frames + 1) * frame_bytes)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"folder": self.folder}


STORAGES = {"Memory": Memory, "Compressed": Compressed, "Disk": Disk}
NAMES = {name.lower(): storage for name, storage in STORAGES.items()}


def check_storage(storage: Any) -> Memory | Compressed | Disk:
    """Return what `ReplayBuffer(storage=...)` received as an object.

    Args:
        storage: What the caller gave.

    Returns:
        The object itself, or the one that a name stands for.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(storage, tuple(STORAGES.values())):
        return storage
    check_choice("storage", storage, NAMES)
    return NAMES[storage]()


def storage_config(storage: Memory | Compressed | Disk) -> dict[str, Any]:
    """Return a storage in a form for JSON."""
    return {"name": type(storage).__name__, "config": storage.get_config()}


def storage_from_config(config: dict[str, Any]) -> Memory | Compressed | Disk:
    """Return the storage that `storage_config` was given.

    Args:
        config: What it returned.

    Raises:
        ValueError: If it names no storage.
    """
    check_choice("storage", config["name"], STORAGES)
    return STORAGES[config["name"]](**config["config"])
