"""Checks of shapes, dtypes and arrays of observations."""

from typing import Any

import numpy as np

from keras_rlkit.utils import (
    cast_values,
    casts_in_kind,
    check_positive_integer,
)


def check_shape(shape: Any, name: str = "observation_shape") -> tuple[int, ...]:
    """Return a shape as a tuple of `int`, or raise if it is none.

    Args:
        shape: What the caller gave.
        name: Name of the argument. Defaults to `"observation_shape"`.

    Returns:
        The shape; empty for single numbers.

    Raises:
        ValueError: If it is no sequence of positive integers.
    """
    if np.ndim(shape) != 1:
        space = name.replace("shape", "space.shape")
        raise ValueError(
            f"`{name}` must be a tuple of positive integers, such as "
            f"`environment.{space}`. Received: {name}={shape!r}."
        )
    return tuple(check_positive_integer(name, size) for size in shape)


def check_dtype(observation_dtype: Any) -> np.dtype:
    """Return a dtype of numbers, or raise if it is none.

    Args:
        observation_dtype: What the caller gave.

    Returns:
        A NumPy dtype.

    Raises:
        ValueError: If it is no dtype of booleans, integers or real numbers.
    """
    try:
        dtype = np.dtype(observation_dtype)
    except TypeError:
        dtype = np.dtype(object)
    if observation_dtype is None or dtype.kind not in "biuf":
        raise ValueError(
            "`observation_dtype` must be a NumPy dtype of numbers, such as "
            f'"uint8". Received: observation_dtype={observation_dtype!r}.'
        )
    return dtype


def check_observation(
    name: str, value: Any, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    """Return observations as an array, or raise if they don't fit.

    Args:
        name: Name of the argument.
        value: What the caller gave.
        shape: Shape [N, *observation_shape] expected.
        dtype: Dtype stored.

    Returns:
        The array, in the dtype stored.

    Raises:
        ValueError: If shape, dtype or a value don't fit.
    """
    array = np.asarray(value)
    if array.shape != shape:
        raise ValueError(
            f"`{name}` must have shape {shape}, one row for each environment. "
            f"Received: {name}.shape={array.shape}."
        )
    if not casts_in_kind(array.dtype, dtype):
        raise ValueError(
            f"`{name}` must have dtype {dtype}, or one that casts to it "
            f"without loss of kind. Received: {name}.dtype={array.dtype}. "
            "Give the buffer the environment's dtype as `observation_dtype`."
        )
    return cast_values(
        name,
        array,
        dtype,
        " Scale it, or choose a wider dtype for the environment's observation "
        "space and the buffer's `observation_dtype`.",
    )
