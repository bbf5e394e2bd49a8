"""Random actions, of those that a model does not forbid."""

from typing import Any

import numpy as np

from keras_rlkit.policies.action_scores import output_of_actions
from keras_rlkit.policies.forward import forward


def random_actions(
    generator: np.random.Generator, forbidden: np.ndarray
) -> np.ndarray:
    """Draw one allowed action for each row, all with equal probability.

    Rows that forbid something draw further numbers; where none does, what is
    drawn doesn't depend on the model.

    Args:
        generator: Where the numbers come from.
        forbidden: Booleans [N, A], with an allowed action in each row.

    Returns:
        int64 array of actions, [N].
    """
    num_rows, num_actions = forbidden.shape
    actions = generator.integers(num_actions, size=num_rows)
    rows = np.flatnonzero(forbidden.any(axis=1))
    if rows.size:
        keys = generator.random((rows.size, num_actions))
        keys[forbidden[rows]] = -1.0
        actions[rows] = np.argmax(keys, axis=1)
    return actions


def forbidden_actions(
    model: Any, observations: np.ndarray, num_actions: int
) -> np.ndarray:
    """Ask a model which actions it forbids by -inf.

    Args:
        model: Keras model that `fit` trains, or what stands in for one.
        observations: Observations, [N, ...].
        num_actions: Number of actions A.

    Returns:
        Booleans [N, A]: all `False` where the model doesn't give a number for
        each action, or isn't made for these observations as they are.

    Raises:
        ValueError: If a row forbids all actions.
    """
    shape = len(observations), num_actions
    takes = getattr(model, "input_shape", None)
    output = None
    answers = hasattr(model, "predict_on_batch")
    if answers and (takes is None or _fits(observations.shape, takes)):
        output = output_of_actions(forward(model, observations))
    if output is None or np.shape(output) != shape:
        return np.zeros(shape, bool)
    forbidden = np.asarray(output, "float64") == -np.inf
    rows = np.flatnonzero(forbidden.all(axis=1))
    if rows.size:
        raise ValueError(
            "No random action can be chosen: the model's output is -inf for "
            f"all {num_actions} actions in {rows.size} of {shape[0]} rows, "
            f"row {rows[0]} the first. Received: the observation "
            f"{observations[rows[0]]}. Leave at least one action allowed in "
            "each state that isn't terminal."
        )
    return forbidden


def _fits(shape: tuple[int, ...], takes: Any) -> bool:
    return (
        isinstance(takes, tuple)
        and len(takes) == len(shape)
        and all(size in (None, has) for size, has in zip(takes, shape))
    )
