"""Masks of allowed actions, as environments tell them."""

from typing import Any

import numpy as np

from keras_rlkit.environments.adapters.action_batches import is_discrete


def mask_size(space: Any) -> int:
    """Return how many choices a mask tells of.

    Args:
        space: Action space of one environment.

    Returns:
        The number of actions; of several integers, their choices side by
        side, two for each bit of a `MultiBinary`; 0 for real numbers.
    """
    parts = getattr(space, "spaces", None)
    if parts is not None:
        if isinstance(parts, dict):
            parts = parts.values()
        return sum(map(mask_size, parts))
    if is_discrete(space):
        return int(space.n)
    if hasattr(space, "nvec"):
        return int(np.sum(space.nvec))
    if hasattr(space, "n"):
        return 2 * int(np.prod(space.shape))
    return 0


def mask_batch(mask: Any, space: Any, num_envs: int) -> np.ndarray:
    """Return masks as an array, or raise if they don't fit.

    Args:
        mask: What the environments told: an array, or the nest of arrays
            that `space.sample(mask)` takes; with a first axis of `num_envs`,
            which may be missing where there is one environment.
        space: Action space of one environment.
        num_envs: Number of environments N.

    Returns:
        Booleans [N, A].

    Raises:
        ValueError: If there isn't one entry for each choice.
    """
    size = mask_size(space)
    try:
        parts = [part.reshape(num_envs, -1) for part in _arrays(mask)]
        rows = np.concatenate(parts, axis=1)
    except ValueError:
        rows = np.zeros((0, 0))
    right = rows.shape == (num_envs, size) and rows.dtype.kind in "biu"
    if not right or not np.isin(rows, (0, 1)).all():
        raise ValueError(
            "`environment` must tell in `action_mask` of each of the "
            f"{size} choices of {space} whether it is allowed, by 0 or 1, for "
            f"each of its {num_envs} environment(s). Received: "
            f"action_mask={mask!r}."
        )
    return rows.astype(bool)


def _arrays(mask: Any) -> list[np.ndarray]:
    if isinstance(mask, dict):
        # A vector environment adds `_key`, which rows tell of it.
        keys = [key for key in sorted(mask) if key.removeprefix("_") == key]
        return [array for key in keys for array in _arrays(mask[key])]
    if isinstance(mask, (tuple, list)):
        return [array for part in mask for array in _arrays(part)]
    array = np.asarray(mask)
    if array.dtype != object:
        return [array]
    # A vector environment keeps tuples of arrays as they are, one to a row.
    rows = [np.concatenate([a.ravel() for a in _arrays(row)]) for row in array]
    return [np.stack(rows)]
