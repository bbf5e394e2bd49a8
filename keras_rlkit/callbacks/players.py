"""Lets callbacks of one `fit` find each other's environments."""

import weakref
from collections.abc import Callable
from typing import Any

import keras

_PLAYERS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def register_player(
    model: keras.Model, callback: keras.callbacks.Callback
) -> None:
    """Note that a callback plays with a model.

    Args:
        model: Model that `fit` trains.
        callback: Callback with `environment` and `policy`.
    """
    players = _PLAYERS.setdefault(model, [])
    players[:] = [p for p in players if p() not in (None, callback)]
    players.append(weakref.ref(callback))


def find_players(model: keras.Model) -> list[keras.callbacks.Callback]:
    """Return the callbacks that play with a model, the latest first.

    Args:
        model: Model that `fit` trains.

    Returns:
        Callbacks with `environment` and `policy`.
    """
    alive = (reference() for reference in reversed(_PLAYERS.get(model, [])))
    return [callback for callback in alive if callback is not None]


def get_policy_state(policy: Callable) -> dict[str, Any] | None:
    """Return a policy's state, or `None` if it has none to tell.

    Args:
        policy: Any policy; a plain function has no `get_state`.
    """
    return policy.get_state() if hasattr(policy, "get_state") else None


def set_policy_state(policy: Callable, state: dict[str, Any] | None) -> None:
    """Continue a policy from what `get_policy_state` returned.

    Args:
        policy: Policy of the same kind.
        state: Its state, or `None`.
    """
    if state is not None:
        policy.set_state(state)
