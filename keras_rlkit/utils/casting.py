"""Casts of what an environment gave, without changing a value unseen."""

import numpy as np


def casts_in_kind(given: np.dtype, kept: np.dtype) -> bool:
    """Return whether values of one dtype can be kept in another at all.

    Args:
        given: Dtype of the values.
        kept: Dtype to keep them in.

    Returns:
        `True` from booleans to all numbers, among integers, from integers to
        floats and among floats. Whether each value fits is another question.
    """
    integers = given.kind in "iu" and kept.kind in "iu"
    return integers or np.can_cast(given, kept, "same_kind")


def cast_values(
    name: str, array: np.ndarray, dtype: np.dtype, advice: str = ""
) -> np.ndarray:
    """Return an array in another dtype of its kind, or raise.

    Integers mustn't wrap round and finite floats mustn't become infinite.
    NaN and infinities stay what they are; rounding is no error.

    Args:
        name: Name of the values in the message.
        array: Values for which `casts_in_kind` is true.
        dtype: Dtype to cast to.
        advice: Sentence on the way out, for the message.

    Returns:
        The same array where it has the dtype, else a new one.

    Raises:
        ValueError: If a value doesn't fit into the dtype.
    """
    if array.dtype == dtype:
        return array
    if np.can_cast(array.dtype, dtype):
        return array.astype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        smallest, largest = array.min(initial=0), array.max(initial=0)
        fits = limits.min <= int(smallest) and int(largest) <= limits.max
        cast = array.astype(dtype)
    else:
        with np.errstate(over="ignore"):
            cast = array.astype(dtype)
        fits = not (np.isinf(cast) & ~np.isinf(array)).any()
    if not fits:
        raise ValueError(
            f"`{name}` must hold numbers that fit into dtype {dtype}. "
            f"Received: {name} from {np.nanmin(array)} to {np.nanmax(array)}."
            + advice
        )
    return cast
