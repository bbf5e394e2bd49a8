"""Random actions, of those that a model does not forbid."""

from typing import Any

import numpy as np

from keras_rlkit.policies.action_scores import output_of_actions
from keras_rlkit.policies.forward import forward
from keras_rlkit.utils.nests import num_rows, take_rows


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
    model: Any,
    observations: Any,
    num_actions: int,
    action_mask: np.ndarray | None = None,
) -> np.ndarray:
    """Ask a mask, and a model, which actions they forbid.

    Args:
        model: Keras model that `fit` trains, or what stands in for one.
        observations: Observations, [N, ...].
        num_actions: Number of actions A.
        action_mask: Booleans [N, A], the actions that are allowed, or `None`
            for all. Defaults to `None`.

    Returns:
        Booleans [N, A]. A model forbids by -inf; one that doesn't give a number
        for each action, or isn't made for these observations as they are, is
        not asked.

    Raises:
        ValueError: If a row forbids all actions.
    """
    shape = num_rows(observations), num_actions
    takes = getattr(model, "input_shape", None)
    output = None
    answers = hasattr(model, "predict_on_batch")
    if answers and (takes is None or _fits(observations, takes)):
        output = output_of_actions(forward(model, observations))
    forbidden = np.zeros(shape, bool)
    if output is not None and np.shape(output) == shape:
        forbidden = np.asarray(output, "float64") == -np.inf
    if action_mask is not None:
        forbidden |= ~action_mask
    rows = np.flatnonzero(forbidden.all(axis=1))
    if rows.size:
        raise ValueError(
            "No random action can be chosen: the model's output is -inf, or "
            f"the mask forbids, all {num_actions} actions in {rows.size} of "
            f"{shape[0]} rows, row {rows[0]} the first. Received: the "
            f"observation {take_rows(observations, rows[0])}. Leave at "
            "least one action allowed in each state that isn't terminal."
        )
    return forbidden


def _fits(observations: Any, takes: Any) -> bool:
    if isinstance(observations, dict):
        return (
            isinstance(takes, dict)
            and set(takes) == set(observations)
            and all(_fits(observations[key], takes[key]) for key in takes)
        )
    if isinstance(observations, (tuple, list)):
        return (
            isinstance(takes, (tuple, list))
            and len(takes) == len(observations)
            and all(map(_fits, observations, takes))
        )
    shape = observations.shape
    return (
        isinstance(takes, tuple)
        and len(takes) == len(shape)
        and all(size in (None, has) for size, has in zip(takes, shape))
    )
