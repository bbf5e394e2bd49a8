"""Q-learning: values of actions taken, and the targets they move to."""

from typing import Any

import keras

from keras_rlkit.ops.arithmetic import multiply_no_nan, to_float32
from keras_rlkit.ops.shape_checks import check_shapes


def select_action_values(q_values: Any, action: Any) -> Any:
    """Pick the value of the action taken, Q(s, a), for each sample.

    Differentiable with respect to `q_values`.

    Args:
        q_values: One value per action, [B, A], or N of them, [B, A, N], of any
            float dtype. The number of actions A must be known while tracing.
        action: Integer actions in [0, A), [B]. An action out of that range
            gives NaN, on every backend.

    Returns:
        float32 tensor, [B] or [B, N].

    Raises:
        ValueError: If a rank is wrong, sizes differ, or `action` is not of an
            integer dtype.

    Example:

    ```python
    rlk.ops.select_action_values([[1.0, 2.0], [3.0, 4.0]], [1, 0])  # [2, 3]
    ```
    """
    q_values = to_float32(q_values)
    if not hasattr(action, "dtype"):
        action = keras.ops.convert_to_tensor(action)
    several = len(q_values.shape) == 3
    axes = "BAN" if several else "BA"
    check_shapes([("q_values", q_values, axes), ("action", action, "B")])
    dtype = keras.backend.standardize_dtype(action.dtype)
    if not keras.backend.is_int_dtype(dtype):
        raise ValueError(
            "`action` must be of an integer dtype. "
            f"Received: action.dtype={dtype}. "
            "Cast it before, as in `keras.ops.cast(action, 'int32')`."
        )
    num_actions = q_values.shape[1]
    if num_actions is None:
        raise ValueError(
            "`q_values` must have a known number of actions. "
            f"Received: q_values.shape={tuple(q_values.shape)}. "
            "Give the last axis a size with `keras.ops.reshape`."
        )
    # A mask instead of a gather: the same on every backend, out of range
    # included, no scatter in the gradient, and -inf elsewhere does no harm.
    taken = keras.ops.equal(
        keras.ops.expand_dims(keras.ops.cast(action, "int32"), 1),
        keras.ops.arange(num_actions, dtype="int32"),
    )
    known = keras.ops.any(taken, axis=1)
    if several:
        taken, known = taken[..., None], known[:, None]
    value = keras.ops.sum(keras.ops.where(taken, q_values, 0.0), axis=1)
    return keras.ops.where(known, value, float("nan"))


def q_learning_target(reward: Any, discount: Any, next_q: Any) -> Any:
    """Target of Q-learning: r + discount * max over a of Q(s', a).

    Args:
        reward: Reward of the step, [B]. For n-step transitions, the
            discounted sum of the n rewards.
        discount: Gamma, or 0 where the episode terminated, [B]: the next
            state's values are not seen then, NaN included. For n-step
            transitions, gamma to the power of n.
        next_q: Values of the next state, [B, A], from the target network
            where there is one.

    Returns:
        float32 tensor, [B], without gradient.

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.q_learning_target(
        reward=[1.0, 1.0], discount=[0.9, 0.0], next_q=[[2.0, 3.0], [4.0, 5.0]]
    )  # [3.7, 1.0]
    ```

    Reference:
        Watkins and Dayan, Q-learning, section 2,
        https://doi.org/10.1007/BF00992698; with a target network: Mnih et
        al., Human-level control through deep reinforcement learning,
        Methods, https://doi.org/10.1038/nature14236
    """
    reward, discount = to_float32(reward), to_float32(discount)
    next_q = to_float32(next_q)
    check_shapes(
        [
            ("reward", reward, "B"),
            ("discount", discount, "B"),
            ("next_q", next_q, "BA"),
        ]
    )
    value = keras.ops.max(next_q, axis=1)
    return keras.ops.stop_gradient(reward + multiply_no_nan(discount, value))


def double_q_learning_target(
    reward: Any, discount: Any, next_q_online: Any, next_q_target: Any
) -> Any:
    """Target of double Q-learning: one network selects, the other evaluates.

    r + discount * Q_target(s', argmax over a of Q_online(s', a)). Choosing
    and judging an action with different networks removes most of the
    overestimation that a plain maximum brings.

    Args:
        reward: Reward of the step, [B]. For n-step transitions, the
            discounted sum of the n rewards.
        discount: Gamma, or 0 where the episode terminated, [B]: the next
            state's values are not seen then, NaN included. For n-step
            transitions, gamma to the power of n.
        next_q_online: Values of the next state from the online network,
            [B, A]: selects the action. The first one wins a tie.
        next_q_target: Values of the next state from the target network,
            [B, A]: evaluates the action selected.

    Returns:
        float32 tensor, [B], without gradient.

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.double_q_learning_target(
        reward=[1.0],
        discount=[0.9],
        next_q_online=[[5.0, 4.0]],
        next_q_target=[[2.0, 3.0]],
    )  # [2.8]
    ```

    Reference:
        van Hasselt, Guez and Silver, Deep Reinforcement Learning with Double
        Q-learning, section "Double DQN", https://arxiv.org/abs/1509.06461
    """
    reward, discount = to_float32(reward), to_float32(discount)
    next_q_online = to_float32(next_q_online)
    next_q_target = to_float32(next_q_target)
    check_shapes(
        [
            ("reward", reward, "B"),
            ("discount", discount, "B"),
            ("next_q_online", next_q_online, "BA"),
            ("next_q_target", next_q_target, "BA"),
        ]
    )
    action = keras.ops.argmax(next_q_online, axis=1)
    value = select_action_values(next_q_target, action)
    # The largest of numbers with NaN among them is any action.
    lost = keras.ops.any(keras.ops.isnan(next_q_online), axis=1)
    value = keras.ops.where(lost, float("nan"), value)
    return keras.ops.stop_gradient(reward + multiply_no_nan(discount, value))


def sequence_td_error(td_error: Any, mask: Any, max_weight: float = 0.9) -> Any:
    """How wrong the values along a sequence are, in one number.

    max_weight * the largest + (1 - max_weight) * the mean of the absolute TD
    errors: a mean alone would hide a single surprise in a long sequence.

    Args:
        td_error: TD errors of the steps, [B, T].
        mask: Booleans [B, T], steps that are there; at least one of each
            sequence.
        max_weight: Number in [0, 1], eta. Defaults to 0.9.

    Returns:
        float32 tensor, [B].

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.sequence_td_error([[1.0, -3.0, 9.0]], [[True, True, False]])
    # [0.9 * 3 + 0.1 * 2] = [2.9]
    ```

    Reference:
        Kapturowski et al., Recurrent Experience Replay in Distributed
        Reinforcement Learning, section 2.3,
        https://openreview.net/forum?id=r1lyTjAqYX
    """
    td_error = to_float32(td_error)
    mask = keras.ops.cast(mask, "bool")
    check_shapes([("td_error", td_error, "BT"), ("mask", mask, "BT")])
    size = keras.ops.where(mask, keras.ops.abs(td_error), 0.0)
    steps = keras.ops.sum(keras.ops.cast(mask, "float32"), axis=1)
    mean = keras.ops.sum(size, axis=1) / steps
    return max_weight * keras.ops.max(size, axis=1) + (1 - max_weight) * mean
