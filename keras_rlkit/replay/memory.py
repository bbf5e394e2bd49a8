"""Refuses a buffer that the machine can't hold, before it is allocated."""

import psutil


def check_memory(required: int, capacity: int) -> None:
    """Raise if a buffer needs more memory than the machine can give.

    Args:
        required: Bytes that the buffer will take.
        capacity: Transitions that the caller asked for.

    Raises:
        MemoryError: If `required` is more than the memory available.
    """
    available = psutil.virtual_memory().available
    if required <= available:
        return
    fitting = int(capacity * 0.9 * available / required)
    raise MemoryError(
        "`capacity` needs more memory than this machine has available: "
        f"{_gibibytes(required)} against {_gibibytes(available)}. "
        f"Received: capacity={capacity}. Use `capacity={fitting}` or less, "
        "smaller images, or a smaller dtype such as uint8."
    )


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:,.2f} GiB"
