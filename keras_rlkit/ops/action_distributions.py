"""What a policy's distribution says of an action: logits, or a Gaussian."""

import math
from typing import Any

import keras

from keras_rlkit.ops.arithmetic import multiply_no_nan, to_float32
from keras_rlkit.ops.q_learning import select_action_values
from keras_rlkit.ops.shape_checks import check_shapes

# Ratios beyond e ** 20 are all the same, hopelessly large; e ** 89 is no
# float32, and its square, of which a gradient's norm is made, is none long
# before that.
_LARGEST_LOG_RATIO = 20.0
# Stands in for the logarithm of probability 0, which times 0 would be NaN.
_LOWEST = -1e30
# The square of so many standard deviations is a float32.
_LARGEST_DEVIATION = 1e18
# The smallest scale that has an inverse.
_SMALLEST_SCALE = math.exp(-87)


def categorical_log_probability(logits: Any, action: Any) -> Any:
    """Logarithm of the probability of a discrete action.

    Args:
        logits: Unnormalised log-probabilities, [B, A]. The number of actions
            A must be known while tracing.
        action: Integer actions in [0, A), [B]. An action out of that range
            gives NaN.

    Returns:
        float32 tensor, [B].

    Raises:
        ValueError: If a rank is wrong, sizes differ, or `action` is not of an
            integer dtype.

    Example:

    ```python
    rlk.ops.categorical_log_probability([[0.0, 0.0]], [1])  # [-log(2)]
    ```

    Reference:
        Sutton and Barto, Reinforcement Learning: An Introduction, second
        edition, section 13.1, equation 13.2,
        http://incompleteideas.net/book/the-book.html
    """
    logits = to_float32(logits)
    if not hasattr(action, "dtype"):
        action = keras.ops.convert_to_tensor(action)
    check_shapes([("logits", logits, "BA"), ("action", action, "B")])
    return select_action_values(keras.ops.log_softmax(logits, axis=1), action)


def gaussian_log_probability(mean: Any, log_scale: Any, action: Any) -> Any:
    """Logarithm of the density of a continuous action, summed over its parts.

    The parts of an action are independent of each other given the state.

    Args:
        mean: Means, [B, D].
        log_scale: Logarithms of the standard deviations, [B, D].
        action: Actions as they were drawn, before any clipping to the bounds
            of the action space, [B, D].

    Returns:
        float32 tensor, [B]. Finite, and so are its gradients for actions
        within 1e20 of the mean: beyond 1e18 standard deviations, where
        these would be no float32, they are bounded.

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.gaussian_log_probability(
        mean=[[10.0]], log_scale=[[0.0]], action=[[8.0]]
    )  # [-2.918939]
    ```

    Reference:
        Sutton and Barto, Reinforcement Learning: An Introduction, second
        edition, section 13.7, equation 13.19,
        http://incompleteideas.net/book/the-book.html
    """
    mean, log_scale = to_float32(mean), to_float32(log_scale)
    action = to_float32(action)
    check_shapes(
        [
            ("mean", mean, "BD"),
            ("log_scale", log_scale, "BD"),
            ("action", action, "BD"),
        ]
    )
    difference = action - mean
    smallest = _smallest_log_scale(keras.ops.stop_gradient(difference))
    log_divisor = keras.ops.where(
        log_scale < smallest, _follow(smallest, log_scale), log_scale
    )
    deviation = difference * keras.ops.exp(-log_divisor)
    return keras.ops.sum(
        -0.5 * keras.ops.square(deviation)
        - log_scale
        - 0.5 * math.log(2 * math.pi),
        axis=1,
    )


def _smallest_log_scale(difference):
    """Return down to which scale s both (d/s)^2 and d/s^2 are float32."""
    size = keras.ops.abs(difference)
    size = keras.ops.maximum(size, keras.ops.sqrt(size))
    return keras.ops.log(
        keras.ops.maximum(size / _LARGEST_DEVIATION, _SMALLEST_SCALE)
    )


def gaussian_entropy(log_scale: Any) -> Any:
    """Differential entropy of a Gaussian policy in each state, in nats.

    Args:
        log_scale: Logarithms of the standard deviations, [B, D].

    Returns:
        float32 tensor, [B].

    Raises:
        ValueError: If the rank is wrong.

    Example:

    ```python
    rlk.ops.gaussian_entropy([[0.0]])  # [1.418939]
    ```

    Reference:
        Mnih et al., Asynchronous Methods for Deep Reinforcement Learning,
        section 9, https://arxiv.org/abs/1602.01783
    """
    log_scale = to_float32(log_scale)
    check_shapes([("log_scale", log_scale, "BD")])
    return keras.ops.sum(log_scale + 0.5 * (math.log(2 * math.pi) + 1), axis=1)


def score_function_loss(log_probability: Any, advantage: Any) -> Any:
    """Loss whose gradient is that of REINFORCE, for any distribution.

    `policy_gradient_loss` is the same for logits.

    Args:
        log_probability: Logarithm of the probability, or density, of the
            action taken, [B].
        advantage: Weight of each sample, [B]. Carries no gradient.

    Returns:
        float32 tensor, one loss per sample, [B].

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.score_function_loss(log_probability=[-0.5], advantage=[2.0])  # [1]
    ```

    Reference:
        Williams, Simple Statistical Gradient-Following Algorithms for
        Connectionist Reinforcement Learning, section 4,
        https://doi.org/10.1007/BF00992696
    """
    log_probability = to_float32(log_probability)
    advantage = to_float32(advantage)
    check_shapes(
        [
            ("log_probability", log_probability, "B"),
            ("advantage", advantage, "B"),
        ]
    )
    advantage = keras.ops.stop_gradient(advantage)
    return multiply_no_nan(advantage, -log_probability)


def probability_ratio(log_probability: Any, old_log_probability: Any) -> Any:
    """How much more probable an action has become since it was taken.

    exp(log_probability - old_log_probability), at most e^20: no overflow, and
    beyond that the gradient still says which way the ratio falls.

    Args:
        log_probability: Of the actions under the policy now, [B].
        old_log_probability: Under the policy that took them, [B]. Carries no
            gradient.

    Returns:
        float32 tensor, [B].

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.probability_ratio([-0.6931472], [-1.3862944])  # [2.0]
    ```

    Reference:
        Schulman et al., Proximal Policy Optimization Algorithms, section 3,
        https://arxiv.org/abs/1707.06347
    """
    now = to_float32(log_probability)
    log_ratio = _log_ratio(now, old_log_probability)
    bounded = _follow(_LARGEST_LOG_RATIO, now)
    return keras.ops.exp(
        keras.ops.where(log_ratio > _LARGEST_LOG_RATIO, bounded, log_ratio)
    )


def kl_estimate(log_probability: Any, old_log_probability: Any) -> Any:
    """Estimate how far the policy has moved from the one that acted.

    (ratio - 1) - log(ratio), whose mean over actions of the old policy is the
    Kullback-Leibler divergence KL(old, new). Never negative, and less noisy
    than the plain difference of logarithms.

    Args:
        log_probability: Of the actions under the policy now, [B].
        old_log_probability: Under the policy that took them, [B].

    Returns:
        float32 tensor in nats, [B], without gradient. Finite: ratios above
        e^20 count as e^20, a probability of 0 now as one of e^-1e30.

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.kl_estimate([0.0], [-0.6931472])  # [2 - 1 - log(2)] = [0.306853]
    ```

    Reference:
        Schulman, Approximating KL Divergence,
        http://joschu.net/blog/kl-approx.html
    """
    log_ratio = keras.ops.clip(
        _log_ratio(to_float32(log_probability), old_log_probability),
        _LOWEST,
        _LARGEST_LOG_RATIO,
    )
    return keras.ops.stop_gradient(keras.ops.expm1(log_ratio) - log_ratio)


def _follow(bound, value):
    """Return a bound that has the gradient of a value beyond it."""
    return bound + (value - keras.ops.stop_gradient(value))


def _log_ratio(log_probability, old_log_probability):
    old = keras.ops.stop_gradient(to_float32(old_log_probability))
    check_shapes(
        [
            ("log_probability", log_probability, "B"),
            ("old_log_probability", old, "B"),
        ]
    )
    return log_probability - old
