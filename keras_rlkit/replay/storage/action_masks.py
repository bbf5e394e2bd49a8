"""Masks of allowed actions: checked, and stored as part of observations."""

from typing import Any

import numpy as np

from keras_rlkit.replay.storage.action_layout import ActionLayout
from keras_rlkit.replay.storage.step_checks import Step


def check_mask_size(action_masks: Any, actions: ActionLayout) -> int | None:
    """Return the length of masks, or `None` where there are none.

    Args:
        action_masks: Whether masks are stored.
        actions: What an action consists of.

    Raises:
        ValueError: If masks of an unknown length are to be stored.
    """
    if not action_masks:
        return None
    if actions.mask_size is None:
        raise ValueError(
            "`action_masks` needs `num_actions`, which tells the length of a "
            "mask. Received: action_masks=True, num_actions="
            f"{actions.num_actions}. Make the buffer with `for_environment`."
        )
    return actions.mask_size


def add_masks(
    step: Step,
    mask_size: int | None,
    actions: ActionLayout,
    action_mask: Any,
    next_action_mask: Any,
) -> Step:
    """Return a step with its masks as last leaves of the observations.

    Args:
        step: Checked step of N environments.
        mask_size: Length A of a mask, or `None` where none are stored.
        actions: What an action consists of.
        action_mask: What the caller gave, Booleans [N, A].
        next_action_mask: What the caller gave, Booleans [N, A].

    Raises:
        ValueError: If there is a mask too many, or one that is missing or has
            another form; if an action was taken that its mask forbids, or a
            state that can be acted in allows none.
    """
    if mask_size is None and action_mask is None and next_action_mask is None:
        return step
    masks = {"action_mask": action_mask, "next_action_mask": next_action_mask}
    if mask_size is None:
        for name, mask in masks.items():
            if mask is not None:
                raise ValueError(
                    f"`{name}` has no place in a buffer without "
                    "`action_masks`. Received: action_masks=False. Make the "
                    "buffer with `action_masks=True`."
                )
    now, then = (
        _check_mask(name, mask, (len(step.valid), mask_size))
        for name, mask in masks.items()
    )
    taken = actions.allowed(now, step.action) | ~step.valid
    if not taken.all():
        row = np.flatnonzero(~taken)[0]
        action = actions.nest([array[row].tolist() for array in step.action])
        raise ValueError(
            "`action` must be allowed by `action_mask`. Received: "
            f"action={action} with action_mask={now[row]} in row {row}."
        )
    goes_on = actions.can_act(then) | step.terminated | ~step.valid
    if not goes_on.all():
        raise ValueError(
            "`next_action_mask` must allow an action unless the episode has "
            "terminated. Received: all actions forbidden in row "
            f"{np.flatnonzero(~goes_on)[0]}."
        )
    return step._replace(
        observation=[*step.observation, now],
        next_observation=[*step.next_observation, then],
    )


def _check_mask(name: str, mask: Any, shape: tuple[int, int]) -> np.ndarray:
    array = np.asarray(mask)
    if array.shape != shape:
        raise ValueError(
            f"`{name}` must have shape {shape}, a row for each environment and "
            "a column for each action. Received: "
            f"{name}={'None' if mask is None else f'shape {array.shape}'}."
        )
    if array.dtype.kind not in "biu" or not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"`{name}` must hold booleans, or zeros and ones. Received: dtype "
            f"{array.dtype}."
        )
    return array.astype(bool)
