"""Checks of what new priorities are made from."""

from typing import Any

import numpy as np

# Numbers of transitions come back from a training step modulo this, since
# JAX has no 64-bit integers by default.
NUMBER_RANGE = 2**31


def check_index(index: Any, end: int) -> np.ndarray:
    """Return numbers of transitions as whole ones, or raise.

    Args:
        index: What the caller gave, maybe modulo `NUMBER_RANGE`.
        end: Number that the next transition will get.

    Returns:
        int64 array [M].

    Raises:
        ValueError: If they can't be numbers of transitions.
    """
    index = np.asarray(index)
    if index.ndim != 1 or not np.issubdtype(index.dtype, np.integer):
        raise ValueError(
            "`index` must be integers of shape (M,), such as a batch's "
            f'`"index"`. Received: index.shape={index.shape}, '
            f"index.dtype={index.dtype}."
        )
    index = index.astype(np.int64)
    if index.size and not (0 <= index.min() and index.max() < end):
        raise ValueError(
            "`index` must be numbers of transitions that were drawn from this "
            f"buffer, at least 0 and below {end}. "
            f"Received: index from {index.min()} to {index.max()}."
        )
    # The newest transition that has this number, modulo what comes back.
    newest = end - 1
    whole = newest - (newest - index) % NUMBER_RANGE
    return np.where(index < NUMBER_RANGE, whole, index)


def check_error(td_error: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return TD errors as an array, or raise if they don't fit.

    Args:
        td_error: What the caller gave.
        shape: Shape [M] expected.

    Returns:
        float64 array [M].

    Raises:
        ValueError: If shape or dtype don't fit, or one is not finite.
    """
    error = np.asarray(td_error)
    if error.shape != shape or error.dtype.kind not in "fiu":
        raise ValueError(
            "`td_error` must be real numbers, one for each `index`: shape "
            f"{shape}. Received: td_error.shape={error.shape}, "
            f"td_error.dtype={error.dtype}."
        )
    error = error.astype(np.float64)
    # NaN is not below anything.
    wrong = ~(np.abs(error) <= np.finfo(np.float32).max)
    if wrong.any():
        raise ValueError(
            "`td_error` must be finite in float32, no NaN and no infinity. "
            f"Received: td_error={error[wrong][0]} and {wrong.sum() - 1} more "
            "such. Training has diverged: try a smaller learning rate."
        )
    return error
