"""What callbacks of others remember from one epoch to the next."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_rlkit.callbacks.model_state import to_plain_array

# By kind, what Keras' callbacks that watch a value compare it with. Their
# other attributes are arguments, or made anew.
REMEMBERED = {
    keras.callbacks.ModelCheckpoint: ("best",),
    keras.callbacks.EarlyStopping: (
        "best",
        "best_epoch",
        "best_weights",
        "stopped_epoch",
        "wait",
    ),
    keras.callbacks.ReduceLROnPlateau: ("best", "cooldown_counter", "wait"),
}


def get_callback_states(
    callbacks: Sequence[keras.callbacks.Callback],
) -> list[dict[str, Any]]:
    """Return what `set_callback_states` needs.

    Args:
        callbacks: Any callbacks. Those count that are of the kinds of
            `REMEMBERED`, or have `get_state` and `set_state`.

    Returns:
        For each that counts, a dictionary with `name`, the name of its class;
        `monitor`, the value that it watches, or `None`; and `state`.
    """
    return [
        {**_identity(callback), "state": _get_state(callback)}
        for callback in callbacks
        if _names(callback) or _has_own_state(callback)
    ]


def set_callback_states(
    callbacks: Sequence[keras.callbacks.Callback], states: list[dict[str, Any]]
) -> None:
    """Set callbacks to what `get_callback_states` returned.

    Call it after their `on_train_begin`, in which some begin anew. A callback
    takes the first state of its class and value; one without a state is new
    in this training, and is left alone.

    Args:
        callbacks: Callbacks with models.
        states: The states.
    """
    for callback, state in _matched(callbacks, states):
        if _has_own_state(callback):
            callback.set_state(state)
            continue
        for name, value in state.items():
            if name == "best_weights" and value is not None:
                likes = callback.model.get_weights()
                value = [
                    np.array(array).view(like.dtype)
                    for array, like in zip(value, likes, strict=True)
                ]
            setattr(callback, name, value)


def has_stopped(
    callbacks: Sequence[keras.callbacks.Callback], states: list[dict[str, Any]]
) -> bool:
    """Return whether an `EarlyStopping` has ended the training.

    Args:
        callbacks: Callbacks, not yet set to `states`.
        states: What `get_callback_states` returned.
    """
    return any(
        isinstance(callback, keras.callbacks.EarlyStopping)
        and not _has_own_state(callback)
        and state["stopped_epoch"] > 0
        # It may have got more patience since.
        and state["wait"] >= callback.patience
        for callback, state in _matched(callbacks, states)
    )


def _matched(
    callbacks: Sequence[keras.callbacks.Callback], states: list[dict[str, Any]]
) -> list[tuple[keras.callbacks.Callback, Any]]:
    pairs, left = [], list(states)
    for callback in callbacks:
        identity = _identity(callback)
        for place, state in enumerate(left):
            if all(state[key] == value for key, value in identity.items()):
                pairs.append((callback, left.pop(place)["state"]))
                break
    return pairs


def _identity(callback: keras.callbacks.Callback) -> dict[str, str | None]:
    monitor = getattr(callback, "monitor", None)
    return {
        "name": type(callback).__name__,
        "monitor": monitor if isinstance(monitor, str) else None,
    }


def _get_state(callback: keras.callbacks.Callback) -> Any:
    if _has_own_state(callback):
        return callback.get_state()
    # A subclass need not begin as Keras' own.
    state = {
        name: getattr(callback, name)
        for name in _names(callback)
        if hasattr(callback, name)
    }
    if state.get("best_weights") is not None:
        weights = state["best_weights"]
        state["best_weights"] = [to_plain_array(array) for array in weights]
    return state


def _names(callback: keras.callbacks.Callback) -> tuple[str, ...]:
    kinds = (kind for kind in REMEMBERED if isinstance(callback, kind))
    return REMEMBERED.get(next(kinds, None), ())


def _has_own_state(callback: keras.callbacks.Callback) -> bool:
    return hasattr(callback, "get_state") and hasattr(callback, "set_state")
