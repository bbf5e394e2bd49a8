"""Brings actions into the form that environments take."""

from typing import Any

import numpy as np

from keras_rlkit.environments.action_checks import check_discrete_actions
from keras_rlkit.utils.nests import flatten_like, pack_like


def is_discrete(space: Any) -> bool:
    """Say whether actions are single integers; `MultiBinary` has an `n` too."""
    return hasattr(space, "n") and space.shape == ()


def action_batch(actions: Any, space: Any, num_envs: int) -> Any:
    """Return a batch of actions as environments take them.

    Args:
        actions: Integers [num_envs] that count from 0, or numbers
            [num_envs, *shape of the space], or a nest of such.
        space: Space of one environment's action.
        num_envs: Number of environments.

    Returns:
        Array in the space's dtype, continuous actions within its bounds; or a
        nest of arrays.

    Raises:
        ValueError: If they have the wrong shape, or are out of range or not
            finite.
    """
    parts = getattr(space, "spaces", None)
    if parts is None:
        return _array_batch("actions", actions, space, num_envs)
    nest, found = _flatten_space(space)
    arrays = flatten_like(nest, "actions", actions)
    return pack_like(
        nest,
        [
            _array_batch(f"actions{path}", array, part, num_envs)
            for array, (path, part) in zip(arrays, found, strict=True)
        ],
    )


def action_row(actions: Any, space: Any) -> Any:
    """Return the first row of a batch, as a single environment takes it.

    Args:
        actions: What `action_batch` returned.
        space: Space of one environment's action.
    """
    parts = getattr(space, "spaces", None)
    if isinstance(parts, dict):
        return {key: action_row(actions[key], parts[key]) for key in parts}
    if parts is not None:
        pairs = zip(actions, parts, strict=True)
        return tuple(action_row(*pair) for pair in pairs)
    return int(actions[0]) if is_discrete(space) else actions[0]


def _flatten_space(space: Any, path: str = "") -> tuple[Any, list]:
    parts = getattr(space, "spaces", None)
    if parts is None:
        return None, [(path, space)]
    keys = sorted(parts) if isinstance(parts, dict) else range(len(parts))
    nests, found = [], []
    for key in keys:
        nest, inside = _flatten_space(parts[key], f"{path}[{key!r}]")
        nests.append(nest)
        found += inside
    if isinstance(parts, dict):
        return dict(zip(keys, nests, strict=True)), found
    return tuple(nests), found


def _array_batch(
    name: str, actions: Any, space: Any, num_envs: int
) -> np.ndarray:
    if is_discrete(space):
        actions = check_discrete_actions(actions, num_envs, space.n, name)
        return actions + int(space.start) if space.start else actions
    actions, shape = np.asarray(actions), (num_envs, *space.shape)
    if actions.shape != shape:
        raise ValueError(
            f"`{name}` must have the shape {shape}. "
            f"Received: shape {actions.shape}."
        )
    if hasattr(space, "low"):
        # Policies draw from distributions without bounds.
        actions = np.clip(actions, space.low, space.high)
    else:
        if actions.dtype.kind not in "biu":
            raise ValueError(
                f"`{name}` must be integers for {space}. "
                f"Received: {name}={actions!r}."
            )
        sizes = getattr(space, "nvec", 2)
        if (actions < 0).any() or (actions >= sizes).any():
            raise ValueError(
                f"`{name}` must be at least 0 and below {sizes}. "
                f"Received: {name}={actions!r}."
            )
        actions = actions + getattr(space, "start", 0)
    dtype = space.dtype
    if dtype.kind == "f" and not (np.abs(actions) <= np.finfo(dtype).max).all():
        # NaN passes every clip; a space may have no bounds.
        raise ValueError(
            f"`{name}` must be finite in {dtype}, no NaN and no infinity. "
            f"Received: {name}={actions!r}. Look for weights of NaN and "
            "for a learning rate that is too large."
        )
    return actions.astype(dtype)
