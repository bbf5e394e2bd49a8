"""States of recurrent networks, stored as part of observations."""

from typing import Any

import numpy as np

from keras_rlkit.replay.storage.array_checks import check_observation
from keras_rlkit.replay.storage.step_checks import Step
from keras_rlkit.utils import (
    check_non_negative_integer,
    check_positive_integer,
)


def check_sequences(
    sequence_length: int | None, state_shape: tuple, burn_in: int = 0
) -> tuple[int, int] | None:
    """Return the steps of a sequence and of its burn-in, `None` for none.

    Args:
        sequence_length: Steps of a sequence, or `None` for none.
        state_shape: Shapes of the arrays of a state; empty for none.
        burn_in: Steps before each sequence. Defaults to 0.

    Raises:
        ValueError: If one is out of its range, or there are sequences without
            states or the other way round.
    """
    burn_in = check_non_negative_integer("burn_in", burn_in)
    if bool(state_shape) != (sequence_length is not None):
        raise ValueError(
            "`sequence_length` and `state_shape` belong together: sequences "
            "begin with a state that is stored. Received: "
            f"sequence_length={sequence_length}, state_shape={state_shape}. "
            "Take `state_shape=agent.state_shape`."
        )
    if sequence_length is not None:
        return check_positive_integer(
            "sequence_length", sequence_length
        ), burn_in
    if burn_in:
        raise ValueError(
            "`burn_in` needs `sequence_length`. Received: "
            f"burn_in={burn_in}, sequence_length=None."
        )
    return None


def add_states(
    step: Step,
    state_shape: tuple[tuple[int, ...], ...],
    num_envs: int,
    state: Any,
    next_state: Any,
) -> Step:
    """Return a step with states as last leaves of the observations.

    Args:
        step: Checked step of N environments.
        state_shape: Shapes of the arrays of a state; empty where none are
            stored.
        num_envs: Number of environments N.
        state: What the caller gave, of the observations acted on.
        next_state: What the caller gave, of those that followed.

    Raises:
        ValueError: If there is a state too many or one that is missing, or an
            array has another shape.
    """
    if not state_shape and state is None and next_state is None:
        return step
    now, then = (
        _check(name, value, state_shape, num_envs)
        for name, value in (("state", state), ("next_state", next_state))
    )
    return step._replace(
        observation=[*step.observation, *now],
        next_observation=[*step.next_observation, *then],
    )


def _check(
    name: str, value: Any, shapes: tuple[tuple[int, ...], ...], num_envs: int
) -> list[np.ndarray]:
    parts = () if value is None else value
    if len(parts) != len(shapes):
        raise ValueError(
            f"`{name}` must be a tuple of {len(shapes)} arrays, of the shapes "
            f"{list(shapes)} for each environment: the buffer's `state_shape`. "
            f"Received: {len(parts)} arrays. Make the buffer with "
            "`state_shape=agent.state_shape`."
        )
    return [
        check_observation(
            f"{name}[{place}]", part, (num_envs, *shape), np.dtype(np.float32)
        )
        for place, (part, shape) in enumerate(zip(parts, shapes))
    ]
