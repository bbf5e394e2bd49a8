"""Checks of what is handed to a buffer, before anything is stored."""

from typing import Any, NamedTuple

import numpy as np

from keras_rlkit.replay.storage.array_checks import check_observation
from keras_rlkit.utils import cast_values, casts_in_kind

# Of what a batch holds: int32 actions and float32 rewards.
LARGEST_ACTION = np.iinfo(np.int32).max
LARGEST_REWARD = np.finfo(np.float32).max


class Step(NamedTuple):
    """One checked step of N environments, all fields NumPy arrays."""

    observation: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    next_observation: np.ndarray
    valid: np.ndarray


def _check_rows(name: str, value: Any, num_envs: int) -> np.ndarray:
    array = np.asarray(value)
    if array.shape != (num_envs,):
        raise ValueError(
            f"`{name}` must have shape ({num_envs},), one entry for each "
            f"environment. Received: {name}.shape={array.shape}."
        )
    return array


def _check_flags(name: str, value: Any, num_envs: int) -> np.ndarray:
    array = _check_rows(name, value, num_envs)
    if array.dtype != bool:
        raise ValueError(
            f"`{name}` must be boolean. Received: {name}.dtype={array.dtype}."
        )
    return array


def check_action(
    value: Any, num_envs: int, num_actions: int | None
) -> np.ndarray:
    """Return the discrete actions of a step, or raise if they are none.

    Args:
        value: What the caller gave.
        num_envs: Number of environments N.
        num_actions: Number of actions, or `None` if not known.

    Returns:
        Integer array [N].

    Raises:
        ValueError: If an action is no integer or out of range.
    """
    action = _check_rows("action", value, num_envs)
    if not np.issubdtype(action.dtype, np.integer):
        raise ValueError(
            "`action` must be integers, the numbers of discrete actions. "
            f"Received: action.dtype={action.dtype}."
        )
    limit = LARGEST_ACTION + 1 if num_actions is None else num_actions
    if action.min() < 0 or action.max() >= limit:
        raise ValueError(
            f"`action` must be at least 0 and below {limit}. "
            f"Received: action={action}."
        )
    return action


def _check_reward(
    value: Any, num_envs: int, valid: np.ndarray, n_step: int
) -> np.ndarray:
    reward = _check_rows("reward", value, num_envs)
    if reward.dtype.kind not in "biuf":
        raise ValueError(
            "`reward` must be real numbers. "
            f"Received: reward.dtype={reward.dtype}."
        )
    # NaN is not below anything.
    if not (np.abs(reward[valid]) <= LARGEST_REWARD / n_step).all():
        joined = f" with n_step={n_step} added up" if n_step > 1 else ""
        raise ValueError(
            "`reward` must be finite in float32, no NaN and no infinity. "
            f"Received: reward={reward}{joined}."
        )
    return reward


def check_step(
    step: tuple[Any, ...],
    shape: tuple[int, ...],
    dtype: np.dtype,
    num_actions: int | None,
    n_step: int = 1,
) -> Step:
    """Return a step as arrays, or raise if any part of it is wrong.

    Args:
        step: The arguments of `ReplayBuffer.add`, in their order.
        shape: Shape [N, *observation_shape] of observations.
        dtype: Dtype of stored observations.
        num_actions: Number of actions, or `None` if not known.
        n_step: How many rewards are added up, in float32 too. Defaults to 1.

    Returns:
        The step as arrays, observations in the dtype stored.

    Raises:
        ValueError: If an argument has the wrong shape, dtype or values.
    """
    (now, action, reward, terminated, truncated, then, valid) = step
    num_envs = shape[0]
    if valid is None:
        valid = np.ones(num_envs, bool)
    valid = _check_flags("valid", valid, num_envs)
    return Step(
        check_observation("observation", now, shape, dtype),
        check_action(action, num_envs, num_actions),
        _check_reward(reward, num_envs, valid, n_step),
        _check_flags("terminated", terminated, num_envs),
        _check_flags("truncated", truncated, num_envs),
        check_observation("next_observation", then, shape, dtype),
        valid,
    )


def check_continuous_action(
    value: Any, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    """Return continuous actions as an array, or raise if they are none.

    Args:
        value: What the caller gave.
        shape: Shape [N, *action_shape] expected.
        dtype: Dtype stored.

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
            f"`action` must be finite numbers of shape {shape}. "
            f"Received: action={action}."
        )
    return cast_values("action", action, dtype)
