"""Checks of the network and the device of Q-learning."""

from typing import Any

import keras

from keras_rlkit.models.network_shapes import output_shape_of
from keras_rlkit.utils import check_fraction, check_positive_integer


def check_replicas(model: keras.Model) -> None:
    """Raise if a model is to be trained by several replicas.

    Args:
        model: Keras model.

    Raises:
        ValueError: If it was made under a `tf.distribute` strategy of more
            than one replica, or is in the scope of one.
    """
    strategy = getattr(model, "distribute_strategy", None)
    if strategy is not None and strategy.num_replicas_in_sync > 1:
        raise ValueError(
            f"`{type(model).__name__}` trains on one device. Received: a "
            "`tf.distribute` strategy of "
            f"{strategy.num_replicas_in_sync} replicas. Make it and train it "
            "outside of the strategy's scope."
        )


def check_network(network: Any, axes_per_action: int = 0) -> tuple:
    """Raise if a network doesn't give one value for each action.

    Args:
        network: What is to be the Q network.
        axes_per_action: 1 where it gives several numbers for each action.
            Defaults to 0.

    Returns:
        The shape of its output, batch first; [B, T, num_actions] for networks
        over sequences; with several numbers, these on a further axis.

    Raises:
        ValueError: If it is not a built Keras model with one output
            [B, num_actions] or [B, T, num_actions].
    """
    if not isinstance(network, keras.Model) or not network.built:
        raise ValueError(
            "`q_network` must be a built Keras model. Received: "
            f"q_network={network!r}. Give it a `keras.Input`, or call it once "
            "on a batch of observations."
        )
    shape = output_shape_of(network)
    known = (
        isinstance(shape, tuple) and None not in shape[-1 - axes_per_action :]
    )
    if not known or len(shape) - axes_per_action not in (2, 3):
        actions = "num_actions" + ", numbers" * axes_per_action
        unknown = (
            " A subclassed model tells its shapes once it was called on a "
            "batch of one array, if its `call` can be traced, or within a "
            "functional one: `keras.Model(inputs, network(inputs))`."
        )
        raise ValueError(
            f"`q_network` must have one output of shape (batch, {actions}), "
            f"or (batch, time, {actions}) with recurrent layers. "
            f"Received: a network with output shape {shape}."
            f"{unknown if shape is None else ''}"
        )
    return shape


def check_target_update(rate: Any, period: Any) -> int:
    """Return the period of hard copies, or raise if it doesn't fit.

    Args:
        rate: What was given as `target_update_rate`.
        period: What was given as `target_update_period`.

    Raises:
        ValueError: If one is out of its range, or both are chosen.
    """
    check_fraction("target_update_rate", rate, zero=False)
    period = check_positive_integer("target_update_period", period)
    if period > 1 and rate not in (0.005, 1):
        raise ValueError(
            "`target_update_rate` and `target_update_period` exclude each "
            "other: a period above 1 copies the weights whole. Received: "
            f"target_update_rate={rate}, target_update_period={period}. "
            "Leave one at its default."
        )
    return period
