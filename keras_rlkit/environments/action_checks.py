"""The check of a batch of discrete actions, before an environment sees them."""

from typing import Any

import numpy as np


def check_discrete_actions(
    actions: Any, num_envs: int, num_actions: int, name: str = "actions"
) -> np.ndarray:
    """Return `actions` as int64, or raise if one of them doesn't exist.

    ale-py's vector environment waits forever after an action that it doesn't
    know, so that such an action must be caught before it gets there.

    Args:
        actions: Integers of shape [num_envs], of any integer dtype.
        num_envs: Number of environments.
        num_actions: Number of actions of each environment.
        name: Name of the argument. Defaults to `"actions"`.

    Returns:
        int64 array of shape [num_envs], each in [0, num_actions).

    Raises:
        ValueError: If shape, dtype or range don't fit.
    """
    actions = np.asarray(actions)
    if actions.shape != (num_envs,) or actions.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must be integers of shape ({num_envs},), one per "
            f"environment. Received: {name}={actions!r} of shape "
            f"{actions.shape} and dtype {actions.dtype}."
        )
    actions = actions.astype(np.int64, copy=False)
    # Seen as unsigned, a negative number is a huge one: one look does for both.
    if actions.view(np.uint64).max() >= num_actions:
        raise ValueError(
            f"`{name}` must be in [0, {num_actions}). "
            f"Received: {name}={actions!r}."
        )
    return actions
