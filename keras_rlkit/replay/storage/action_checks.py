"""Checks of actions that are handed to a buffer."""

from typing import Any

import numpy as np

from keras_rlkit.utils import cast_values, casts_in_kind

# Of what a batch holds: int32 actions.
LARGEST_ACTION = np.iinfo(np.int32).max


def check_discrete_action(
    value: Any,
    shape: tuple[int, ...],
    limits: np.ndarray | None,
    name: str = "action",
) -> np.ndarray:
    """Return discrete actions to store as an array, or raise if they are none.

    Args:
        value: What the caller gave.
        shape: Shape [N, ...] expected.
        limits: How many there are to choose from, for each entry of an action,
            or `None` if not known.
        name: Name of the argument. Defaults to `"action"`.

    Returns:
        Integer array.

    Raises:
        ValueError: If an action is no integer or out of range.
    """
    action = np.asarray(value)
    if action.shape != shape:
        raise ValueError(
            f"`{name}` must have shape {shape}, one entry for each "
            f"environment. Received: {name}.shape={action.shape}."
        )
    if not np.issubdtype(action.dtype, np.integer):
        raise ValueError(
            f"`{name}` must be integers, the numbers of discrete actions. "
            f"Received: {name}.dtype={action.dtype}."
        )
    limit = LARGEST_ACTION + 1 if limits is None else limits
    if (action < 0).any() or (action >= limit).any():
        raise ValueError(
            f"`{name}` must be at least 0 and below {limit}. "
            f"Received: {name}={action}."
        )
    return action


def check_continuous_action(
    value: Any,
    shape: tuple[int, ...],
    dtype: np.dtype,
    name: str = "action",
) -> np.ndarray:
    """Return continuous actions as an array, or raise if they are none.

    Args:
        value: What the caller gave.
        shape: Shape [N, *action_shape] expected.
        dtype: Dtype stored.
        name: Name of the argument. Defaults to `"action"`.

    Raises:
        ValueError: If shape, dtype or a value don't fit.
    """
    action = np.asarray(value)
    if (
        action.shape != shape
        or not casts_in_kind(action.dtype, dtype)
        or not np.isfinite(action).all()
    ):
        raise ValueError(
            f"`{name}` must be finite numbers of shape {shape}. "
            f"Received: {name}={action}."
        )
    return cast_values(name, action, dtype)
