"""From the steps of an epoch to its samples: returns, values, advantages."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_rlkit.ops import discounted_returns, generalized_advantage_estimate
from keras_rlkit.replay.storage.epoch_sequences import (
    Sequences,
    find_sequences,
)
from keras_rlkit.replay.storage.step_checks import Step
from keras_rlkit.replay.storage.termination import discount_and_end

Evaluate = Callable[[Any, Any], tuple[Any, Any]]


class Samples(NamedTuple):
    """The M transitions of an epoch, in the order of time.

    `observation` and `action` are lists of their arrays.
    `value`, `log_probability` and `advantage` are `None` where no model gave
    values, `sequences` where none were asked for.
    """

    observation: list[np.ndarray]
    action: list[np.ndarray]
    returns: np.ndarray
    advantage: np.ndarray | None
    value: np.ndarray | None
    log_probability: np.ndarray | None
    sequences: Sequences | None = None


def make_samples(
    steps: list[Step],
    discount: float,
    lambda_: float | None,
    evaluate: Evaluate | None,
    reward_scale: float = 1.0,
    sequence_length: int | None = None,
) -> Samples:
    """Look back over an epoch: returns, values and advantages of its steps.

    Wherever the future was not played, after a time limit or where collecting
    stopped, it counts with the value of the state reached; without values,
    with what the trajectory's mean reward would add up to if it went on for
    ever.

    Args:
        steps: Steps of N environments, in order, with at least one valid row.
        discount: Discount factor gamma of one step.
        lambda_: Lambda of the advantages, or `None` for plain returns.
        evaluate: Called with lists of the arrays of observations and of
            actions; returns values and log-probabilities (or `None`).
        reward_scale: Number that all rewards are multiplied by.
        sequence_length: Steps of a sequence, or `None` for none.

    Returns:
        The samples, without the rows that are not valid.

    Raises:
        ValueError: If a value is not finite.
    """
    grid = Step(*(_in_time(field) for field in zip(*steps, strict=True)))
    grid = grid._replace(reward=grid.reward * reward_scale)
    discounts, end = discount_and_end(grid.terminated, grid.truncated, discount)
    followed = np.zeros_like(grid.valid)
    followed[:-1] = grid.valid[1:]
    goes_on = grid.valid & followed & ~end
    cut = grid.valid & ~goes_on & (discounts > 0)
    observation = [leaf[grid.valid] for leaf in grid.observation]
    action = [part[grid.valid] for part in grid.action]
    size = len(action[0])
    value = log_probability = None
    if evaluate is None:
        future = _mean_reward_for_ever(grid.reward, goes_on, cut, discount)
    else:
        reached = [leaf[cut] for leaf in grid.next_observation]
        no_action = [
            np.zeros((cut.sum(), *part.shape[1:]), part.dtype)
            for part in action
        ]
        value, log_probability = evaluate(
            _joined(observation, reached), _joined(action, no_action)
        )
        value = _finite("value", value)
        value, future = value[:size], value[size:]
        if log_probability is not None:
            # No action was taken in the states reached: 0 may be forbidden.
            log_probability = _finite("log-probability", log_probability[:size])
    rewards = np.where(grid.valid, grid.reward, 0.0)
    # An end that the row can see: the future is part of the last reward.
    rewards[cut] += discount * future
    discounts = np.where(goes_on, discounts, 0.0)
    values = np.zeros(grid.valid.shape)
    if value is not None:
        values[grid.valid] = value
    sums = _look_back(rewards, discounts, values, lambda_)[grid.valid]
    if lambda_ is None:
        advantage, returns = None, sums
    else:
        advantage, returns = sums, sums + value
    _finite("return", returns)
    sequences = None
    if sequence_length is not None:
        sequences = find_sequences(grid.valid, goes_on, sequence_length)
    return Samples(
        observation,
        action,
        returns,
        advantage,
        value,
        log_probability,
        sequences,
    )


def _in_time(field: Sequence[Any]) -> Any:
    """Return one field of steps as arrays [T, N, ...]."""
    if isinstance(field[0], list):
        return [np.stack(leaf) for leaf in zip(*field, strict=True)]
    return np.stack(field)


def _joined(first: list[np.ndarray], second: list[np.ndarray]) -> list:
    return [np.concatenate(pair) for pair in zip(first, second, strict=True)]


def _mean_reward_for_ever(reward, goes_on, cut, discount):
    if discount == 1:
        return np.zeros(np.count_nonzero(cut))
    means = []
    for step, row in zip(*np.nonzero(cut), strict=True):
        breaks = np.flatnonzero(~goes_on[:step, row])
        first = breaks[-1] + 1 if breaks.size else 0
        means.append(reward[first : step + 1, row].mean())
    return np.array(means) / (1 - discount)


def _look_back(rewards, discounts, values, lambda_):
    """Returns, or with `lambda_` advantages, of steps [T, N]."""
    steps = len(rewards)
    # Few lengths, since each is compiled once. Discounts of 0 follow.
    length = 1 << max(3, (steps - 1).bit_length())
    inputs = [
        np.pad(columns, [(0, length - steps), (0, 0)]).T.astype(np.float32)
        for columns in (rewards, discounts, values)
    ]
    rows = _compiled(length, lambda_).predict_on_batch(inputs)
    return np.asarray(rows).T[:steps]


@functools.lru_cache(maxsize=64)
def _compiled(length: int, lambda_: float | None) -> keras.Model:
    """The equation as a compiled function, on any backend."""
    inputs = [keras.Input((length,)) for _ in range(3)]
    rewards, discounts, values = inputs
    if lambda_ is None:
        sums = discounted_returns(rewards, discounts, values[:, -1])
    else:
        values = keras.ops.pad(values, [[0, 0], [0, 1]])
        sums = generalized_advantage_estimate(
            rewards, discounts, values, lambda_
        )
    return keras.Model(inputs, sums)


def _finite(name: str, values: Any) -> np.ndarray:
    values = np.asarray(values, np.float32)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise ValueError(
            f"Every {name} of an epoch must be finite. Received: "
            f"{values[bad[0]]} at step {bad[0]}, {bad.size} of {len(values)} "
            "in all. Training has diverged, or rewards are too large: lower "
            "the learning rate, clip gradients, or scale the rewards."
        )
    return values
