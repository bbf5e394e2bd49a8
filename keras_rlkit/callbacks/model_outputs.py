"""What a policy's model gives: the shape of its output, and values."""

from collections.abc import Callable

import keras
import numpy as np

from keras_rlkit.policies.forward import forward
from keras_rlkit.utils.nests import num_rows


def policy_output_shape(model: keras.Model) -> tuple | None:
    """Return the shape of what a policy acts on, or `None` if not known.

    Args:
        model: Keras model with one output, or several of which one is the
            policy's.
    """
    shape = getattr(model, "output_shape", None)
    if isinstance(shape, dict):
        return shape.get("policy", shape.get("logits"))
    if isinstance(shape, (list, tuple)) and shape:
        return shape[0] if isinstance(shape[0], (list, tuple)) else shape
    return None


def evaluation_of(model: keras.Model) -> Callable | None:
    """Return what gives values, or `None` if the model has none.

    Args:
        model: `ActorCritic`, or any Keras model with an output `"value"`.

    Returns:
        Function of observations and actions that returns values [M] and
        log-probabilities [M], or `None` in place of the latter.
    """
    if hasattr(model, "evaluate_actions"):
        return model.evaluate_actions
    shape = getattr(model, "output_shape", None)
    if not isinstance(shape, dict) or "value" not in shape:
        return None

    def evaluate(observations, actions, action_mask=None):
        value = forward(model, observations)["value"]
        return np.reshape(value, [num_rows(observations)]), None

    return evaluate
