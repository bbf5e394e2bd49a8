"""Copies arrays that are too large to be in memory at once."""

from typing import Any

import numpy as np

# Rows are copied in pieces of about this size.
PIECE_BYTES = 2**24


def copy_rows(target: np.ndarray, source: Any) -> None:
    """Copy an array in pieces, so that one on disk is never whole in memory.

    Args:
        target: Array to write into.
        source: Array, or anything with the same shape that gives arrays for
            slices of rows.
    """
    if not target.ndim:
        target[...] = source[...]
        return
    rows = max(1, PIECE_BYTES // max(1, target[:1].nbytes))
    for start in range(0, len(target), rows):
        target[start : start + rows] = source[start : start + rows]
