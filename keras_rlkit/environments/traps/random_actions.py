"""Random actions of any space."""

from typing import Any

import numpy as np

from keras_rlkit.environments.adapters.action_masks import mask_size


def random_action(space: Any, generator: np.random.Generator) -> Any:
    """Return a random action without using up the space's own randomness.

    Args:
        space: Action space of one environment.
        generator: Source of the action.

    Returns:
        An element of the space.
    """
    parts = getattr(space, "spaces", None)
    if isinstance(parts, dict):
        return {k: random_action(parts[k], generator) for k in parts}
    if parts is not None:
        return tuple(random_action(part, generator) for part in parts)
    if hasattr(space, "n") and space.shape == ():
        return int(space.start) + int(generator.integers(space.n))
    if hasattr(space, "nvec"):
        return generator.integers(space.nvec).astype(space.dtype)
    if hasattr(space, "n"):
        return generator.integers(2, size=space.shape).astype(space.dtype)
    low = np.where(np.isfinite(space.low), space.low, -1)
    high = np.where(np.isfinite(space.high), space.high, 1)
    return generator.uniform(low, high).astype(space.dtype)


def random_batch(
    space: Any,
    generator: np.random.Generator,
    num_envs: int,
    mask: np.ndarray | None,
) -> Any:
    """Return random actions, as an adapter takes them.

    Args:
        space: Action space of one environment.
        generator: Source of the actions.
        num_envs: Number of environments N.
        mask: Booleans [N, A], the choices that are allowed, or `None`.

    Returns:
        Array [N, ...], or a nest of such, whose integers count from 0.
    """
    parts = getattr(space, "spaces", None)
    if parts is not None:
        keys: Any = range(len(parts))
        if isinstance(parts, dict):
            keys = sorted(parts)
        found, first = [], 0
        for key in keys:
            end = first + mask_size(parts[key])
            own = None if mask is None else mask[:, first:end]
            found.append(random_batch(parts[key], generator, num_envs, own))
            first = end
        if isinstance(parts, dict):
            return dict(zip(keys, found, strict=True))
        return tuple(found)
    sizes = _sizes(space)
    if mask is None or not sizes:
        actions = [random_action(space, generator) for _ in range(num_envs)]
        return np.array(actions) - (getattr(space, "start", 0) if sizes else 0)
    ends = np.cumsum(sizes)[:-1]
    columns = [
        [generator.choice(np.flatnonzero(row)) for row in choices]
        for choices in np.split(mask, ends, axis=1)
    ]
    return np.array(columns).T.reshape(num_envs, *space.shape)


def _sizes(space: Any) -> list[int]:
    """How many there are to choose from, for each integer of an action."""
    if hasattr(space, "nvec"):
        return [int(size) for size in np.ravel(space.nvec)]
    if not hasattr(space, "n"):
        return []
    return [int(space.n)] if space.shape == () else [2] * space.shape[0]
