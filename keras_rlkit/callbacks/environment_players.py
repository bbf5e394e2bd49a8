"""Lets callbacks of one `fit` find each other's environments."""

import weakref
from collections.abc import Callable
from typing import Any

import keras

from keras_rlkit.environments.copies.call_counts import environments_of

_PLAYERS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def register_player(
    model: keras.Model, callback: keras.callbacks.Callback, saved: bool = True
) -> None:
    """Note that a callback plays with a model.

    Args:
        model: Model that `fit` trains.
        callback: Callback with `environment` and `policy`.
        saved: Whether it has a state that belongs to the training. Defaults to
            `True`.
    """
    players = _PLAYERS.setdefault(model, [])
    players[:] = [p for p in players if p[0]() not in (None, callback)]
    players.append((weakref.ref(callback), saved))


def find_players(
    model: keras.Model, all_of_them: bool = False
) -> list[keras.callbacks.Callback]:
    """Return the callbacks that play with a model, the latest first.

    Args:
        model: Model that `fit` trains.
        all_of_them: Whether those that have nothing to save are wanted, too.
            Defaults to `False`.

    Returns:
        Callbacks with `environment` and `policy`.
    """
    players = reversed(_PLAYERS.get(model, []))
    alive = [(reference(), saved) for reference, saved in players]
    return [
        callback
        for callback, saved in alive
        if callback is not None and (saved or all_of_them)
    ]


def check_plays_alone(collector: keras.callbacks.Callback) -> None:
    """Raise if another callback of the same `fit` plays in its environment.

    Args:
        collector: Callback whose episodes must not be disturbed.

    Raises:
        ValueError: If one does, through whatever wrappers.
    """
    own = environments_of(collector.environment.environment)
    for other in find_players(collector.model, all_of_them=True):
        # Callbacks of one `fit` share one dictionary.
        if other is collector or other.params is not collector.params:
            continue
        if other.environment is None:
            continue
        others = environments_of(other.environment.environment)
        shared = [own[number] for number in own if number in others]
        if shared:
            names = [type(part).__name__ for part in (collector, other)]
            raise ValueError(
                "`environment` must be played in by one callback alone while "
                f"{names[0]} collects in it. Received: {names[0]} and "
                f"{names[1]} with the same {shared[-1]}, which would "
                "mix up their episodes. Make a second one for "
                f"{names[1]}, such as `gymnasium.make` gives."
            )


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
