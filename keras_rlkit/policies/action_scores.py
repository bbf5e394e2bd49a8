"""What every policy asks of a model."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_rlkit.policies.forward import forward

OUTPUT_KEYS = ("policy", "logits", "q_values")


def model_output(policy: Any, model: Any, observations: Any) -> Any:
    """Return what a model says of the actions.

    One call of `model.predict_on_batch`, or of what does the same sooner: one
    compiled function, traced once for a given number of environments.

    Args:
        policy: The policy that asks: messages name its class.
        model: Keras model.
        observations: Observations, [N, ...], or a nest of arrays.

    Returns:
        The output that scores the actions: an array, or several.

    Raises:
        ValueError: If the model has no such output.
    """
    outputs = forward(model, observations)
    output = output_of_actions(outputs)
    if output is None:
        raise ValueError(
            f"`{type(policy).__name__}` looks for the model's output under one "
            f"of the keys {OUTPUT_KEYS}. Received: keys={sorted(outputs)}. "
            "Rename the output that scores the actions."
        )
    return output


def check_scores(
    policy: Any, output: Any, size: int, action_mask: Any = None
) -> np.ndarray:
    """Return a model's number for each action, as a policy needs it.

    Args:
        policy: The policy that asks: messages name its class.
        output: What the model gave.
        size: Number of observations N.
        action_mask: Booleans [N, A], the actions that are allowed, or `None`
            for all. Defaults to `None`.

    Returns:
        float64 array of Q values or logits, [N, A]; -inf for actions that are
        forbidden.

    Raises:
        ValueError: If the output isn't [N, A], holds NaN, or has no finite
            best action in some row.
    """
    name = type(policy).__name__
    scores = np.asarray(output, dtype="float64")
    if scores.ndim != 2 or len(scores) != size:
        raise ValueError(
            f"`{name}` needs a model that gives one number per action, "
            f"[N, A] for N={size} observations. "
            f"Received: output.shape={scores.shape}. "
            "End the model in a layer with one unit per action."
        )
    if action_mask is not None:
        scores = _masked(name, scores, action_mask)
    # NaN anywhere in a row is its maximum. -inf only forbids an action.
    bad_rows = np.flatnonzero(~np.isfinite(scores.max(axis=1)))
    if bad_rows.size:
        raise ValueError(
            f"`{name}` cannot choose an action: the model's output is NaN, or "
            f"its largest entry infinite, in {bad_rows.size} of {len(scores)} "
            f"rows. Received: {scores[bad_rows[0]]} in row {bad_rows[0]}. "
            "Training has diverged, an observation is not finite, or every "
            "action is forbidden: lower the learning rate, clip gradients, or "
            "check the observations."
        )
    return scores


def for_each_choice(
    choose: Callable[[np.ndarray], np.ndarray],
    policy: Any,
    output: Any,
    size: int,
    action_mask: Any = None,
) -> np.ndarray:
    """Return one action for each observation, or several side by side.

    Args:
        choose: Function from scores [N, A] to actions [N].
        policy: The policy that asks: messages name its class.
        output: An array [N, A], or for several choices a list of such.
        size: Number of observations N.
        action_mask: Booleans [N, A], or of several choices side by side.

    Returns:
        Integers [N], or [N, K] for K choices.
    """
    if not isinstance(output, (tuple, list)):
        return choose(check_scores(policy, output, size, action_mask))
    masks = [None] * len(output)
    if action_mask is not None:
        ends = np.cumsum([np.shape(part)[-1] for part in output])
        check_mask_shape(action_mask, (size, int(ends[-1])))
        ends = ends[:-1]
        masks = np.split(np.asarray(action_mask), ends, axis=1)
    columns = [
        choose(check_scores(policy, part, size, mask))
        for part, mask in zip(output, masks, strict=True)
    ]
    return np.stack(columns, axis=1)


def check_mask_shape(action_mask: Any, shape: tuple[int, ...]) -> None:
    """Raise unless a mask has an entry for each choice that a model scores.

    Args:
        action_mask: The mask.
        shape: Shape that it must have, [N, A].

    Raises:
        ValueError: If it has another one.
    """
    if np.shape(action_mask) != shape:
        raise ValueError(
            "`action_mask` must have an entry for each choice that the model "
            f"scores, shape {shape}. Received: shape {np.shape(action_mask)}."
        )


def _masked(name: str, scores: np.ndarray, action_mask: Any) -> np.ndarray:
    check_mask_shape(action_mask, scores.shape)
    mask = np.asarray(action_mask, bool)
    rows = np.flatnonzero(~mask.any(axis=1))
    if rows.size:
        raise ValueError(
            f"`{name}` cannot choose an action: `action_mask` forbids all. "
            f"Received: {rows.size} such rows of {len(mask)}, row {rows[0]} "
            "the first. Allow at least one action in each state that isn't "
            "terminal."
        )
    # NaN must still be found where it is forbidden.
    return np.where(mask | np.isnan(scores), scores, -np.inf)


def output_of_actions(outputs: Any) -> Any:
    """Return the one of a model's outputs that scores the actions.

    Args:
        outputs: What the model gives: an array, or several.

    Returns:
        The array, or nest of arrays; the first of several, or of a dictionary
        the one under the first of `OUTPUT_KEYS` that it has, else `None`.
    """
    if isinstance(outputs, dict):
        key = next((key for key in OUTPUT_KEYS if key in outputs), None)
        return None if key is None else outputs[key]
    return outputs[0] if isinstance(outputs, (tuple, list)) else outputs
