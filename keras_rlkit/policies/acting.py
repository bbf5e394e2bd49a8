"""How callbacks ask a policy."""

from collections.abc import Callable
from typing import Any

import numpy as np


def act(
    policy: Callable,
    model: Any,
    observations: Any,
    step: int,
    action_mask: np.ndarray | None,
) -> Any:
    """Return a policy's actions.

    Args:
        policy: Called as `policy(model, observations, step)`, and with the
            mask as a fourth argument where there is one.
        model: What it acts with.
        observations: Observations, [N, ...], or a nest of arrays.
        step: Environment steps taken so far.
        action_mask: Booleans [N, A], the actions that are allowed, or `None`.
    """
    if action_mask is None:
        return policy(model, observations, step)
    return policy(model, observations, step, action_mask)
