"""Buffers as files: NumPy's own format, no pickles, written at once."""

import json
import pathlib
from typing import Any

import numpy as np

from keras_rlkit.replay.saving.whole_files import whole_file

FORMAT = "keras_rlkit.ReplayBuffer"
VERSION = 3


def write(
    path: str | pathlib.Path,
    header: dict[str, Any],
    arrays: dict[str, np.ndarray],
) -> None:
    """Write arrays and a JSON header to one file, replacing it atomically.

    Args:
        path: File name.
        header: What JSON can hold.
        arrays: Arrays by name.
    """
    path = pathlib.Path(path)
    header = {"format": FORMAT, "version": VERSION, **header}
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with whole_file(path) as file:
        np.savez(file, header=text, **arrays)


def read(
    path: str | pathlib.Path,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what `write` wrote.

    Args:
        path: File name.

    Returns:
        A tuple `(header, arrays)`.

    Raises:
        OSError: If there is no such file.
        ValueError: If the file is damaged, or of another kind or version.
    """
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            header = json.loads(arrays.pop("header").tobytes())
            known = header["format"] == FORMAT
        # What a damaged file makes its readers raise has no end.
        except Exception as error:
            raise ValueError(
                "`path` must be a complete file of `ReplayBuffer.save`. "
                f"Received: path={str(path)!r}, which can't be read: {error}"
            ) from error
    if not known or header.get("version") != VERSION:
        raise ValueError(
            f"`path` must be a file of `ReplayBuffer.save`, version {VERSION}. "
            f"Received: path={str(path)!r} with "
            f"format={header['format']!r}, version={header.get('version')!r}."
        )
    return header, arrays


def check_saved_arrays(
    path: str | pathlib.Path | None,
    expected: dict[str, np.ndarray],
    received: dict[str, np.ndarray],
) -> None:
    """Raise unless a file's arrays have the buffer's names, shapes and dtypes.

    Args:
        path: File that the second set is from, or `None`, for the message.
        expected: Arrays of a new buffer.
        received: Arrays that were saved.

    Raises:
        ValueError: If they differ.
    """

    def layout(arrays: dict[str, np.ndarray]) -> dict[str, tuple]:
        return {n: (a.shape, a.dtype.str) for n, a in sorted(arrays.items())}

    if layout(expected) != layout(received):
        raise ValueError(
            f"{'A state' if path is None else '`path`'} must hold the arrays "
            f"of the buffer it describes: {layout(expected)}. Received: "
            f"path={str(path)!r} with {layout(received)}."
        )


def check_same_arguments(
    expected: dict[str, Any], received: dict[str, Any]
) -> None:
    """Raise unless a state is of a buffer with the same arguments.

    Args:
        expected: Arguments of the buffer that is to continue.
        received: Arguments of the buffer that was saved.

    Raises:
        ValueError: If they differ.
    """
    # As they would come out of a file.
    expected = json.loads(json.dumps(expected))
    received = json.loads(json.dumps(received))
    if expected != received:
        other = [n for n in expected if expected[n] != received.get(n)]
        raise ValueError(
            "The state must be of a buffer with the same arguments: "
            f"{ {name: expected[name] for name in other} }. Received: a "
            f"state with { {name: received.get(name) for name in other} }."
        )
