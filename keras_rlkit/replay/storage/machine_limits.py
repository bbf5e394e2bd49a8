"""Refuses a buffer that the machine can't hold, before it is allocated."""

import errno
import shutil

import psutil


def check_room(memory: int, disk: int, capacity: int, folder: str) -> None:
    """Raise if the machine can't hold a buffer.

    Args:
        memory: Bytes of memory that the buffer will take.
        disk: Bytes of the disk that it will take.
        capacity: Transitions that the caller asked for.
        folder: Folder on the disk.

    Raises:
        MemoryError: If the memory available is less.
        OSError: If the disk has less free.
    """
    check_memory(memory, capacity)
    if disk:
        check_disk(disk, capacity, folder)


def check_memory(required: int, capacity: int) -> None:
    """Raise if a buffer needs more memory than the machine can give.

    Args:
        required: Bytes that the buffer will take.
        capacity: Transitions that the caller asked for.

    Raises:
        MemoryError: If `required` is more than the memory available.
    """
    available = available_memory()
    if required <= available:
        return
    fitting = int(capacity * 0.9 * available / required)
    raise MemoryError(
        "`capacity` needs more memory than this machine has available: "
        f"{gibibytes(required)} against {gibibytes(available)}. "
        f"Received: capacity={capacity}. Use `capacity={fitting}` or less, "
        "smaller images, or a smaller dtype such as uint8. "
        '`storage="compressed"` and `storage="disk"` need less memory.'
    )


def check_disk(required: int, capacity: int, folder: str) -> None:
    """Raise if a buffer needs more of a disk than is free.

    Args:
        required: Bytes that the buffer's file will take.
        capacity: Transitions that the caller asked for.
        folder: Folder of the file.

    Raises:
        OSError: If `required` is more than the disk has free.
    """
    free = shutil.disk_usage(folder).free
    if required <= free:
        return
    fitting = int(capacity * 0.9 * free / required)
    raise OSError(
        errno.ENOSPC,
        f"`capacity` needs more room than the disk of {folder!r} has free: "
        f"{gibibytes(required)} against {gibibytes(free)}. "
        f"Received: capacity={capacity}. Use `capacity={fitting}` or less, or "
        "`storage=keras_rlkit.replay.Disk(folder)` on another disk.",
    )


def available_memory() -> int:
    """Return the bytes of memory that the machine can give."""
    return psutil.virtual_memory().available


def gibibytes(size: int) -> str:
    """Return a number of bytes in the form of messages."""
    return f"{size / 2**30:,.2f} GiB"
