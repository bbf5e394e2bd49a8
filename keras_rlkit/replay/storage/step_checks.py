"""Checks of what is handed to a buffer, before anything is stored."""

from typing import Any, NamedTuple

import numpy as np

from keras_rlkit.replay.storage.action_layout import ActionLayout
from keras_rlkit.replay.storage.observation_layout import ObservationLayout

# Of what a batch holds: float32 rewards.
LARGEST_REWARD = np.finfo(np.float32).max


class Step(NamedTuple):
    """One checked step of N environments.

    Observations and actions are lists of their arrays, all else NumPy arrays.
    """

    observation: list[np.ndarray]
    action: list[np.ndarray]
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    next_observation: list[np.ndarray]
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
    layout: ObservationLayout,
    actions: ActionLayout,
    num_envs: int,
    n_step: int = 1,
) -> Step:
    """Return a step as arrays, or raise if any part of it is wrong.

    Args:
        step: The arguments of `ReplayBuffer.add`, in their order, without
            masks.
        layout: What an observation consists of.
        actions: What an action consists of.
        num_envs: Number of environments N.
        n_step: How many rewards are added up, in float32 too. Defaults to 1.

    Returns:
        The step as arrays, observations in the dtype stored.

    Raises:
        ValueError: If an argument has the wrong shape, dtype or values.
    """
    (now, action, reward, terminated, truncated, then, valid) = step
    if valid is None:
        valid = np.ones(num_envs, bool)
    valid = _check_flags("valid", valid, num_envs)
    return Step(
        layout.check("observation", now, num_envs),
        actions.check(action, num_envs),
        _check_reward(reward, num_envs, valid, n_step),
        _check_flags("terminated", terminated, num_envs),
        _check_flags("truncated", truncated, num_envs),
        layout.check("next_observation", then, num_envs),
        valid,
    )
