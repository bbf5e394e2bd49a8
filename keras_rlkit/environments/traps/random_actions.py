"""Random actions of any space."""

from typing import Any

import numpy as np


def random_action(space: Any, generator: np.random.Generator) -> Any:
    """Return a random action without using up the space's own randomness.

    Args:
        space: Action space of one environment.
        generator: Source of the action.

    Returns:
        An element of the space.
    """
    if hasattr(space, "n") and space.shape == ():
        return int(space.start) + int(generator.integers(space.n))
    if hasattr(space, "nvec"):
        return generator.integers(space.nvec).astype(space.dtype)
    if hasattr(space, "n"):
        return generator.integers(2, size=space.shape).astype(space.dtype)
    low = np.where(np.isfinite(space.low), space.low, -1)
    high = np.where(np.isfinite(space.high), space.high, 1)
    return generator.uniform(low, high).astype(space.dtype)
