"""Losses of a policy given by logits, one number per sample."""

from typing import Any

import keras

from keras_rlkit.ops.arithmetic import multiply_no_nan, to_float32
from keras_rlkit.ops.q_learning import select_action_values
from keras_rlkit.ops.shape_checks import check_shapes
from keras_rlkit.utils import check_positive_number

# Stands in for the logarithm of probability 0, which times 0 would be NaN.
_LOWEST = -1e30


def policy_gradient_loss(logits: Any, action: Any, advantage: Any) -> Any:
    """Negative log-probability of the action taken, times its advantage.

    Its gradient is that of REINFORCE: actions that turned out better than
    expected become more probable.

    Args:
        logits: Unnormalised log-probabilities, [B, A]. The number of actions
            A must be known while tracing. -inf forbids an action.
        action: Integer actions taken, in [0, A), [B]. An action out of that
            range gives NaN.
        advantage: Weight of each sample, [B]: the return, or the return less
            a baseline. Carries no gradient.

    Returns:
        float32 tensor, one loss per sample, [B].

    Raises:
        ValueError: If a rank is wrong, sizes differ, or `action` is not of an
            integer dtype.

    Example:

    ```python
    loss = rlk.ops.policy_gradient_loss(
        logits=[[0.0, 0.0]], action=[1], advantage=[2.0]
    )  # [2 * log(2)]
    ```

    Reference:
        Williams, Simple Statistical Gradient-Following Algorithms for
        Connectionist Reinforcement Learning, section 4,
        https://doi.org/10.1007/BF00992696
    """
    logits, advantage = to_float32(logits), to_float32(advantage)
    if not hasattr(action, "dtype"):
        action = keras.ops.convert_to_tensor(action)
    check_shapes(
        [
            ("logits", logits, "BA"),
            ("action", action, "B"),
            ("advantage", advantage, "B"),
        ]
    )
    log_probability = select_action_values(
        keras.ops.log_softmax(logits, axis=1), action
    )
    advantage = keras.ops.stop_gradient(advantage)
    return multiply_no_nan(advantage, -log_probability)


def entropy(logits: Any) -> Any:
    """Entropy of the policy in each state, in nats.

    From 0 for a certain action to log(A) for a uniform choice. Added to the
    objective with a small weight, it keeps a policy from settling too early.

    Args:
        logits: Unnormalised log-probabilities, [B, A]. -inf forbids an
            action.

    Returns:
        float32 tensor, [B].

    Raises:
        ValueError: If the rank is wrong.

    Example:

    ```python
    rlk.ops.entropy([[0.0, 0.0]])  # [log(2)]
    ```

    Reference:
        Mnih et al., Asynchronous Methods for Deep Reinforcement Learning,
        section 4, https://arxiv.org/abs/1602.01783
    """
    logits = to_float32(logits)
    check_shapes([("logits", logits, "BA")])
    log_probabilities = keras.ops.log_softmax(logits, axis=1)
    return -keras.ops.sum(
        keras.ops.exp(log_probabilities)
        * keras.ops.maximum(log_probabilities, _LOWEST),
        axis=1,
    )


def clipped_surrogate_loss(ratio: Any, advantage: Any, clip: float) -> Any:
    """Loss of proximal policy optimisation (PPO).

    -min(ratio * A, clip(ratio, 1 - clip, 1 + clip) * A): once the new policy
    has moved `clip` away from the old one in the direction that the advantage
    asks for, nothing more is gained, and the gradient is zero.

    Args:
        ratio: Probability of the action under the new policy divided by that
            under the policy that took it, [B]: `probability_ratio`.
        advantage: Advantage of the action, [B]. Carries no gradient.
        clip: Positive number; 0.2 in the paper.

    Returns:
        float32 tensor, one loss per sample, [B].

    Raises:
        ValueError: If a rank is wrong, sizes differ, or `clip` is not a
            positive number.

    Example:

    ```python
    rlk.ops.clipped_surrogate_loss(
        ratio=[1.5, 0.5], advantage=[2.0, 2.0], clip=0.2
    )  # [-2.4, -1.0]
    ```

    Reference:
        Schulman et al., Proximal Policy Optimization Algorithms, section 3,
        equation 7, https://arxiv.org/abs/1707.06347
    """
    clip = check_positive_number("clip", clip)
    ratio, advantage = to_float32(ratio), to_float32(advantage)
    check_shapes([("ratio", ratio, "B"), ("advantage", advantage, "B")])
    advantage = keras.ops.stop_gradient(advantage)
    clipped = keras.ops.clip(ratio, 1 - clip, 1 + clip)
    return -keras.ops.minimum(ratio * advantage, clipped * advantage)
