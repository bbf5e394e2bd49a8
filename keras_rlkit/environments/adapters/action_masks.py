"""Masks of allowed actions, as environments tell them."""

from collections.abc import Sequence
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
        mask: What the environments told: zeros and ones [N, A], all choices
            side by side, or the nest of arrays that `space.sample(mask)` takes,
            in which `None` allows everything. The first axis may be missing
            where there is one environment. An array of objects has one mask
            for each environment.
        space: Action space of one environment.
        num_envs: Number of environments N.

    Returns:
        Booleans [N, A].

    Raises:
        ValueError: If there isn't one entry for each choice.
    """
    size = mask_size(space)
    try:
        rows = _choices(mask, space, num_envs)
    except (KeyError, TypeError, ValueError):
        rows = np.zeros((0, 0))
    if rows.shape != (num_envs, size) or not np.isin(rows, (0, 1)).all():
        raise ValueError(
            "`environment` must tell in `action_mask` of each of the "
            f"{size} choices of {space} whether it is allowed, by 0 or 1, for "
            f"each of its {num_envs} environment(s). Received: "
            f"action_mask={mask!r}. Masks of another meaning are ignored with "
            "`rlk.environments.as_vector(environment, action_masks=False)`."
        )
    return rows.astype(bool)


def rows_apart(rows: Sequence[Any]) -> np.ndarray:
    """Return an array of objects, one for each environment.

    Args:
        rows: Masks or observations, arrays or nests of arrays.
    """
    apart = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        apart[place] = row
    return apart


def _choices(mask: Any, space: Any, num_envs: int) -> np.ndarray:
    """Return the zeros and ones [N, A] of a space, or of a part of it."""
    if mask is None:
        return np.ones((num_envs, mask_size(space)))
    if isinstance(mask, np.ndarray) and mask.dtype == object:
        return np.concatenate([_choices(row, space, 1) for row in mask])
    parts = getattr(space, "spaces", None)
    if isinstance(parts, dict) and isinstance(mask, dict):
        pairs = [(mask.get(key), parts[key]) for key in sorted(parts)]
    elif parts is not None and isinstance(mask, (tuple, list)):
        # Of numbers there need be no mask.
        pairs = list(zip(_one_for_each(mask, parts), parts, strict=True))
    elif isinstance(mask, (tuple, list)) and hasattr(space, "nvec"):
        arrays = [np.reshape(part, (num_envs, -1)) for part in mask]
        return np.concatenate(arrays, axis=1)
    else:
        rows = np.reshape(mask, (num_envs, -1))
        bits = hasattr(space, "n") and not is_discrete(space)
        if bits and 2 * rows.shape[1] == mask_size(space):
            # As gymnasium has it: 0 and 1 are forced, 2 leaves the choice.
            pair = [np.isin(rows, (0, 2)), np.isin(rows, (1, 2))]
            rows = np.stack(pair, axis=-1).reshape(num_envs, -1)
        return rows
    found = [_choices(part, inside, num_envs) for part, inside in pairs]
    return np.concatenate(found, axis=1)


def _one_for_each(mask: Sequence[Any], parts: Sequence[Any]) -> list[Any]:
    if len(mask) == len(parts):
        return list(mask)
    told = iter(mask)
    return [next(told) if mask_size(part) else None for part in parts]
