"""Brings actions into the form that environments take."""

from typing import Any

import numpy as np

from keras_rlkit.environments.action_checks import check_discrete_actions


def is_discrete(space: Any) -> bool:
    """Say whether actions are single integers; `MultiBinary` has an `n` too."""
    return hasattr(space, "n") and space.shape == ()


def action_batch(actions: Any, space: Any, num_envs: int) -> np.ndarray:
    """Return a batch of actions as environments take them.

    Args:
        actions: Integers [num_envs] that count from 0, or numbers
            [num_envs, *shape of the space].
        space: Space of one environment's action.
        num_envs: Number of environments.

    Returns:
        Array in the space's dtype; continuous actions within its bounds.

    Raises:
        ValueError: If they have the wrong shape, or are out of range or not
            finite.
    """
    if is_discrete(space):
        actions = check_discrete_actions(actions, num_envs, space.n)
        return actions + int(space.start) if space.start else actions
    actions, shape = np.asarray(actions), (num_envs, *space.shape)
    if actions.shape != shape:
        raise ValueError(
            f"`actions` must have the shape {shape}. "
            f"Received: shape {actions.shape}."
        )
    if hasattr(space, "low"):
        # Policies draw from distributions without bounds.
        actions = np.clip(actions, space.low, space.high)
    dtype = space.dtype
    if dtype.kind == "f" and not (np.abs(actions) <= np.finfo(dtype).max).all():
        # NaN passes every clip; a space may have no bounds.
        raise ValueError(
            f"`actions` must be finite in {dtype}, no NaN and no infinity. "
            f"Received: actions={actions!r}. Look for weights of NaN and "
            "for a learning rate that is too large."
        )
    return actions.astype(dtype)
