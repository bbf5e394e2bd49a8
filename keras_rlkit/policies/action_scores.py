"""What every policy asks of a model."""

from typing import Any

import numpy as np

from keras_rlkit.policies.forward import forward
from keras_rlkit.utils.nests import num_rows

OUTPUT_KEYS = ("policy", "logits")


def action_scores(
    policy: Any, model: Any, observations: Any, action_mask: Any = None
) -> np.ndarray:
    """Return the model's number for each action, as a policy needs it.

    One call of `model.predict_on_batch`, or of what does the same sooner: one
    compiled function, traced once for a given number of environments.

    Args:
        policy: The policy that asks: messages name its class.
        model: Keras model.
        observations: Observations, [N, ...], or a nest of arrays.
        action_mask: Booleans [N, A], the actions that are allowed, or `None`
            for all. Defaults to `None`.

    Returns:
        float64 array of Q values or logits, [N, A]; -inf for actions that are
        forbidden.

    Raises:
        ValueError: If the model's output isn't [N, A], holds NaN, or has no
            finite best action in some row.
    """
    name, size = type(policy).__name__, num_rows(observations)
    outputs = forward(model, observations)
    output = output_of_actions(outputs)
    if output is None:
        raise ValueError(
            f"`{name}` looks for the model's output under one of the keys "
            f"{OUTPUT_KEYS}. Received: keys={sorted(outputs)}. "
            "Rename the output that scores the actions."
        )
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


def _masked(name: str, scores: np.ndarray, action_mask: Any) -> np.ndarray:
    mask = np.asarray(action_mask, bool)
    if mask.shape != scores.shape:
        raise ValueError(
            f"`action_mask` must have the shape of the model's output, "
            f"{scores.shape}. Received: shape {mask.shape}."
        )
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
        The array, the first of several, or of a dictionary the one under
        `"policy"`, else under `"logits"`, else `None`.
    """
    if isinstance(outputs, dict):
        key = next((key for key in OUTPUT_KEYS if key in outputs), None)
        return None if key is None else outputs[key]
    return outputs[0] if isinstance(outputs, (tuple, list)) else outputs
