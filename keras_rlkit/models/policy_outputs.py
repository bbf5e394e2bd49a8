"""What a policy network's numbers say of actions, by kind of policy."""

from typing import Any

import keras

from keras_rlkit.ops import (
    categorical_log_probability,
    entropy,
    gaussian_entropy,
    gaussian_log_probability,
)


def log_probability_of(distribution: str, output: Any, action: Any) -> Any:
    """Return log-probabilities of actions.

    Args:
        distribution: `"categorical"` or `"gaussian"`.
        output: Numbers of the policy: logits [B, num_actions], or means and
            logarithms of scales [B, 2 D].
        action: Integers [B], or floats [B, D].

    Returns:
        Tensor [B].
    """
    if distribution == "categorical":
        return categorical_log_probability(output, action)
    mean, log_scale = keras.ops.split(output, 2, axis=-1)
    return gaussian_log_probability(mean, log_scale, action)


def entropy_of(distribution: str, output: Any) -> Any:
    """Return entropies of a policy.

    Args:
        distribution: As in `log_probability_of`.
        output: As in `log_probability_of`.

    Returns:
        Tensor [B].
    """
    if distribution == "categorical":
        return entropy(output)
    return gaussian_entropy(keras.ops.split(output, 2, axis=-1)[1])
