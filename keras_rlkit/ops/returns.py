"""Returns: what the rewards to come add up to, from every step on."""

from typing import Any

import keras

from keras_rlkit.ops.arithmetic import multiply_no_nan, to_float32
from keras_rlkit.ops.shape_checks import check_shapes
from keras_rlkit.utils import check_fraction, check_positive_integer


def discounted_returns(rewards: Any, discounts: Any, bootstrap: Any) -> Any:
    """Discounted sum of the rewards to come, from every step on.

    G_t = r_t + discount_t * G_{t+1}, and G_T = bootstrap. Where the discount
    is 0 nothing from later steps is seen, NaN included, so that several
    episodes may lie in one row.

    Args:
        rewards: Rewards, [B, T]. The number of steps T must be known while
            tracing.
        discounts: Gamma, or 0 where the episode terminated, [B, T].
        bootstrap: Value of the state after the last step, [B]: 0 to end
            there. It is only seen where the last discount is not 0.

    Returns:
        float32 tensor, [B, T], without gradient.

    Raises:
        ValueError: If a rank is wrong, sizes differ, or T is unknown or 0.

    Example:

    ```python
    rlk.ops.discounted_returns(
        rewards=[[1.0, 1.0, 1.0]], discounts=[[0.5, 0.5, 0.5]], bootstrap=[8.0]
    )  # [[2.75, 3.5, 5.0]]
    ```

    Reference:
        Sutton and Barto, Reinforcement Learning: An Introduction, second
        edition, sections 3.3 and 3.4,
        http://incompleteideas.net/book/the-book.html
    """
    rewards, discounts = to_float32(rewards), to_float32(discounts)
    bootstrap = to_float32(bootstrap)
    check_shapes(
        [
            ("rewards", rewards, "BT"),
            ("discounts", discounts, "BT"),
            ("bootstrap", bootstrap, "B"),
        ]
    )
    num_steps = _number_of_steps(rewards, discounts)
    # The state after the last step is one more step, which ends the row.
    spans = _first_spans(_append(rewards, bootstrap), _append_zero(discounts))
    span = 1
    while span <= num_steps:
        spans = _double_span(*spans, span)
        span *= 2
    return keras.ops.stop_gradient(spans[0][:, :-1])


def n_step_returns(rewards: Any, discounts: Any, values: Any, n: int) -> Any:
    """Sum of n discounted rewards plus the value of the state reached.

    G_t = r_t + discount_t * r_{t+1} + ... + (product of n discounts) * v,
    where v = values[:, t + n - 1]. Within n steps of the end fewer rewards
    are left: the sum then ends with the last value.

    Args:
        rewards: Rewards, [B, T]. The number of steps T must be known while
            tracing.
        discounts: Gamma, or 0 where the episode terminated, [B, T].
        values: Values of the states *after* each step, [B, T].
        n: Number of steps (of the environment) in the sum, from 1. More than
            T is the same as T.

    Returns:
        float32 tensor, [B, T], without gradient.

    Raises:
        ValueError: If a rank is wrong, sizes differ, T is unknown or 0, or
            `n` is not a positive integer.

    Example:

    ```python
    rlk.ops.n_step_returns(
        rewards=[[1.0, 1.0, 1.0]],
        discounts=[[0.5, 0.5, 0.5]],
        values=[[2.0, 4.0, 8.0]],
        n=2,
    )  # [[2.5, 3.5, 5.0]]
    ```

    Reference:
        Sutton and Barto, Reinforcement Learning: An Introduction, second
        edition, section 7.1,
        http://incompleteideas.net/book/the-book.html
    """
    n = check_positive_integer("n", n)
    rewards, discounts = to_float32(rewards), to_float32(discounts)
    values = to_float32(values)
    _check_values_after(rewards, discounts, values)
    num_steps = _number_of_steps(rewards, discounts)
    # Everything below is seen from the state after step t, like `values`.
    returns = values
    spans = _first_spans(
        _append(rewards[:, 1:], values[:, -1]), _append_zero(discounts[:, 1:])
    )
    remaining, span = min(n, num_steps) - 1, 1
    # n - 1 steps are put together from spans of 1, 2, 4, ...
    while remaining:
        if remaining % 2:
            returns = _join(*spans, _later(returns, span))
        remaining //= 2
        if remaining:
            spans = _double_span(*spans, span)
            span *= 2
    return keras.ops.stop_gradient(
        rewards + multiply_no_nan(discounts, returns)
    )


def lambda_returns(
    rewards: Any, discounts: Any, values: Any, lambda_: float
) -> Any:
    """Exponentially weighted mean of all n-step returns.

    G_t = r_t + discount_t * ((1 - lambda_) * v_t + lambda_ * G_{t+1}), where
    v_t = values[:, t], and G_T is the last value. `lambda_=0` gives one-step
    returns, `lambda_=1` discounted returns.

    Args:
        rewards: Rewards, [B, T]. The number of steps T must be known while
            tracing.
        discounts: Gamma, or 0 where the episode terminated, [B, T].
        values: Values of the states *after* each step, [B, T].
        lambda_: Number in [0, 1].

    Returns:
        float32 tensor, [B, T], without gradient.

    Raises:
        ValueError: If a rank is wrong, sizes differ, T is unknown or 0, or
            `lambda_` is not in [0, 1].

    Example:

    ```python
    rlk.ops.lambda_returns(
        rewards=[[1.0, 1.0]],
        discounts=[[0.5, 0.5]],
        values=[[2.0, 4.0]],
        lambda_=0.5,
    )  # [[2.25, 3.0]]
    ```

    Reference:
        Sutton and Barto, Reinforcement Learning: An Introduction, second
        edition, section 12.1,
        http://incompleteideas.net/book/the-book.html
    """
    lambda_ = check_fraction("lambda_", lambda_)
    rewards, discounts = to_float32(rewards), to_float32(discounts)
    values = to_float32(values)
    _check_values_after(rewards, discounts, values)
    _number_of_steps(rewards, discounts)
    one_step = multiply_no_nan((1 - lambda_) * discounts, values)
    return discounted_returns(
        rewards + one_step, lambda_ * discounts, values[:, -1]
    )


def _check_values_after(rewards, discounts, values):
    check_shapes(
        [
            ("rewards", rewards, "BT"),
            ("discounts", discounts, "BT"),
            ("values", values, "BT"),
        ]
    )


def _number_of_steps(rewards, discounts):
    num_steps = rewards.shape[1]
    if not num_steps or discounts.shape[1] is None:
        raise ValueError(
            "`rewards` and `discounts` must have a known number of steps, at "
            f"least one. Received: rewards.shape={tuple(rewards.shape)}, "
            f"discounts.shape={tuple(discounts.shape)}. "
            "Give the time axis a size with `keras.ops.reshape`."
        )
    return num_steps


def _first_spans(sums, discounts):
    """Return spans of one step each, as `_double_span` takes them."""
    return sums, discounts, keras.ops.equal(discounts, 0)


def _double_span(sums, products, ended, span):
    """Join each span of steps with the one after it.

    Over `span` steps the return is G_t = sums_t + products_t * G_{t+span}.
    Doubling the span takes log2(T) steps on whole arrays where following the
    recursion takes T small ones. `ended` tells where a span has an end in it:
    many discounts below 1 multiply to 0 as well.
    """
    return (
        _join(sums, products, ended, _later(sums, span)),
        products * keras.ops.where(ended, 0.0, _later(products, span)),
        keras.ops.logical_or(ended, _later(ended, span)),
    )


def _join(sums, products, ended, later):
    # What lies behind an end must not be seen: 0 * NaN is NaN.
    return sums + products * keras.ops.where(ended, 0.0, later)


def _later(tensor, steps):
    return keras.ops.pad(tensor[:, steps:], [[0, 0], [0, steps]])


def _append(tensor, column):
    return keras.ops.concatenate(
        [tensor, keras.ops.expand_dims(column, 1)], axis=1
    )


def _append_zero(tensor):
    return keras.ops.pad(tensor, [[0, 0], [0, 1]])
