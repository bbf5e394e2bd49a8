"""Clauses on states that a training resumes from."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_rlkit.testing.clauses import require
from keras_rlkit.testing.comparisons import differ


def through_json(state: Any) -> Any:
    """Return a state as files of `ResumeTraining` give it back.

    Raises:
        AssertionError: If it holds something else than nested dictionaries
            and lists of numbers, strings and arrays.
    """
    if isinstance(state, np.ndarray):
        return state.copy()
    if isinstance(state, dict):
        require(
            all(isinstance(key, str) for key in state),
            f"keys of a state must be strings. Received: {list(state)}.",
        )
        return {key: through_json(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [through_json(value) for value in state]
    if isinstance(state, np.generic):
        return state.item()
    try:
        return json.loads(json.dumps(state))
    except TypeError as error:
        raise AssertionError(
            "a state must hold nothing but numbers, strings and arrays. "
            f"Received: {state!r}."
        ) from error


def check_state(
    make: Callable[[], Any],
    play: Callable[[Any], Any],
    get: Callable[[Any], Any] = lambda part: part.get_state(),
    put: Callable[[Any, Any], None] = lambda part, state: part.set_state(state),
) -> None:
    """Check that a part goes on from its state as if nothing had happened.

    Args:
        make: Makes the part, each time in another random state.
        play: Uses the part and returns what came of it.
        get: Reads its state.
        put: Sets it.

    Raises:
        AssertionError: If two new parts differ after the second has taken the
            state of the first.
    """
    first, second = make(), make()
    play(first)
    state = through_json(get(first))
    put(second, state)
    require(
        not differ(through_json(get(second)), state),
        "a part that was given a state must have that state.",
    )
    for _ in range(2):
        expected, received = play(first), play(second)
        require(
            not differ(expected, received),
            "a part that was given another's state must go on as the other. "
            f"Received: {received}, expected: {expected}.",
        )
