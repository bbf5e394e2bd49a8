"""How callbacks ask a policy."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np


def _takes_masks(policy: Callable) -> bool:
    try:
        inspect.signature(policy).bind(None, None, None, None)
    except TypeError:
        return False
    except ValueError:  # Some callables have no signature.
        pass
    return True


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
    if not _takes_masks(policy):
        raise ValueError(
            "`policy` must take a mask of allowed actions, as "
            "`policy(model, observations, step, action_mask)`, where the "
            f"environment tells one. Received: policy={policy!r}. Or ignore "
            "masks, with `rlk.environments.as_vector(environment, "
            "action_masks=False)`."
        )
    return policy(model, observations, step, action_mask)
