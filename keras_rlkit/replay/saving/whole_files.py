"""Writes files so that they are there whole or not at all."""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

UNFINISHED = ".unfinished"


@contextlib.contextmanager
def whole_file(path: pathlib.Path) -> Iterator[Any]:
    """Open a file for writing that gets its name once it is complete.

    Args:
        path: File name. An existing file stays until the new one is complete.

    Returns:
        A context with the open file. If it ends in an error, nothing is left.
    """
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with open(unfinished, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def sync_names(folder: pathlib.Path) -> None:
    """Make names in a folder outlast a power failure, where that works."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
