"""Advantages: how much better an action was than the state's value."""

from typing import Any

import keras

from keras_rlkit.ops.arithmetic import multiply_no_nan, to_float32
from keras_rlkit.ops.returns import discounted_returns
from keras_rlkit.ops.shape_checks import check_shapes
from keras_rlkit.utils import check_fraction


def generalized_advantage_estimate(
    rewards: Any, discounts: Any, values: Any, lambda_: float
) -> Any:
    """How much better each action turned out than the state's value.

    A_t = delta_t + discount_t * lambda_ * A_{t+1}, where
    delta_t = r_t + discount_t * v_{t+1} - v_t. `lambda_` trades bias (0: one
    step, trusts the values) for variance (1: all rewards to come). Values
    plus advantages are the lambda returns, the values' own targets.

    Args:
        rewards: Rewards, [B, T]. The number of steps T must be known while
            tracing.
        discounts: Gamma, or 0 where the episode terminated, [B, T]: nothing
            behind is seen, NaN included. Steps of the next episode may follow
            in the same row. After an episode cut by a time limit they may
            not: the row has no room for the value of the state it was cut at.
        values: Values of the states *before* each step and, last, of the
            state after the last one, [B, T + 1].
        lambda_: Number in [0, 1].

    Returns:
        float32 tensor, [B, T], without gradient.

    Raises:
        ValueError: If a rank is wrong, sizes differ, T is unknown or 0, or
            `lambda_` is not in [0, 1].

    Example:

    ```python
    rlk.ops.generalized_advantage_estimate(
        rewards=[[1.0, 1.0]],
        discounts=[[0.5, 0.5]],
        values=[[2.0, 4.0, 8.0]],
        lambda_=0.5,
    )  # [[1.25, 1.0]]
    ```

    Reference:
        Schulman et al., High-Dimensional Continuous Control Using Generalized
        Advantage Estimation, section 3, equation 16,
        https://arxiv.org/abs/1506.02438
    """
    lambda_ = check_fraction("lambda_", lambda_)
    rewards, discounts = to_float32(rewards), to_float32(discounts)
    values = to_float32(values)
    check_shapes(
        [
            ("rewards", rewards, "BT"),
            ("discounts", discounts, "BT"),
            ("values", values, "BV"),
        ]
    )
    num_steps, num_values = rewards.shape[1], values.shape[1]
    if None not in (num_steps, num_values) and num_values != num_steps + 1:
        raise ValueError(
            "`values` must have one entry more than `rewards`, [B, T + 1]. "
            f"Received: values.shape={tuple(values.shape)}, "
            f"rewards.shape={tuple(rewards.shape)}. "
            "Append the value of the state after the last step."
        )
    errors = rewards + multiply_no_nan(discounts, values[:, 1:])
    errors = errors - values[:, :-1]
    return discounted_returns(
        errors, lambda_ * discounts, keras.ops.zeros_like(values[:, 0])
    )
