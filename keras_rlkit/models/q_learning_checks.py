"""Checks of the network and the device of Q-learning."""

from typing import Any

import keras

from keras_rlkit.models.network_shapes import output_shape_of


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


def check_network(network: Any) -> tuple:
    """Raise if a network doesn't give one value for each action.

    Args:
        network: What is to be the Q network.

    Returns:
        The shape of its output, batch first.

    Raises:
        ValueError: If it is not a built Keras model with one output
            [B, num_actions].
    """
    if not isinstance(network, keras.Model) or not network.built:
        raise ValueError(
            "`q_network` must be a built Keras model. Received: "
            f"q_network={network!r}. Give it a `keras.Input`, or call it once "
            "on a batch of observations."
        )
    shape = output_shape_of(network)
    if not isinstance(shape, tuple) or len(shape) != 2 or shape[-1] is None:
        unknown = (
            " A subclassed model tells its shapes once it was called on a "
            "batch of one array, if its `call` can be traced, or within a "
            "functional one: `keras.Model(inputs, network(inputs))`."
        )
        raise ValueError(
            "`q_network` must have one output of shape (batch, num_actions). "
            f"Received: a network with output shape {shape}."
            f"{unknown if shape is None else ''}"
        )
    return shape
