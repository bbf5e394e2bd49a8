"""What every policy asks of a model."""

from typing import Any

import numpy as np

from keras_rlkit.policies.forward import forward

OUTPUT_KEYS = ("policy", "logits")


def action_scores(policy: Any, model: Any, observations: Any) -> np.ndarray:
    """Return the model's number for each action, as a policy needs it.

    One call of `model.predict_on_batch`, or of what does the same sooner: one
    compiled function, traced once for a given number of environments.

    Args:
        policy: The policy that asks: messages name its class.
        model: Keras model.
        observations: Observations, [N, ...].

    Returns:
        float64 array of Q values or logits, [N, A].

    Raises:
        ValueError: If the model's output isn't [N, A], holds NaN, or has no
            finite best action in some row.
    """
    name = type(policy).__name__
    output = forward(model, observations)
    if isinstance(output, dict):
        key = next((key for key in OUTPUT_KEYS if key in output), None)
        if key is None:
            raise ValueError(
                f"`{name}` looks for the model's output under one of the keys "
                f"{OUTPUT_KEYS}. Received: keys={sorted(output)}. "
                "Rename the output that scores the actions."
            )
        output = output[key]
    elif isinstance(output, (tuple, list)):
        output = output[0]
    scores = np.asarray(output, dtype="float64")
    if scores.ndim != 2 or len(scores) != len(observations):
        raise ValueError(
            f"`{name}` needs a model that gives one number per action, "
            f"[N, A] for N={len(observations)} observations. "
            f"Received: output.shape={scores.shape}. "
            "End the model in a layer with one unit per action."
        )
    # NaN anywhere in a row is its maximum. -inf only forbids an action.
    bad_rows = np.flatnonzero(~np.isfinite(scores.max(axis=1)))
    if bad_rows.size:
        raise ValueError(
            f"`{name}` cannot choose an action: the model's output is NaN, or "
            f"its largest entry infinite, in {bad_rows.size} of {len(scores)} "
            f"rows. Received: {scores[bad_rows[0]]} in row {bad_rows[0]}. "
            "Training has diverged, or an observation is not finite: lower "
            "the learning rate, clip gradients, or check the observations."
        )
    return scores
