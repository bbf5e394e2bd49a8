"""Q networks over sequences, and their steps one by one."""

from collections.abc import Callable
from typing import Any

import keras

from keras_rlkit.models.recurrent_calls import call_with_memory, flatten_time
from keras_rlkit.models.recurrent_networks import RecurrentNetworks
from keras_rlkit.ops import sequence_td_error


def call_q_network(
    recurrent: RecurrentNetworks | None,
    network: Callable[..., Any],
    inputs: Any,
    training: bool | None,
) -> Any:
    """Return Q values [B, A], or `"q_values"` and `"state"` of sequences.

    Args:
        recurrent: What sets the state of the network; `None` for one without
            memory.
        network: Called as `network(observation, training=training)`.
        inputs: As `call_with_memory` takes them.
        training: As in calling a Keras model.
    """

    def call(observation: Any, training: bool | None) -> Any:
        values = network(observation, training=training)
        return values if recurrent is None else {"q_values": values}

    return call_with_memory(recurrent, call, inputs, training)


def q_values_of(
    recurrent: RecurrentNetworks | None,
    network: Callable[..., Any],
    inputs: Any,
) -> Any:
    """Return Q values in inference: [B, A], or of sequences [B, T, A].

    Args:
        recurrent: As in `call_q_network`.
        network: As in `call_q_network`.
        inputs: As in `call_q_network`.
    """
    output = call_q_network(recurrent, network, inputs, False)
    return output if recurrent is None else output["q_values"]


def as_rows(q_values: Any) -> Any:
    """Return Q values of sequences as those of single observations.

    Args:
        q_values: [B, A], which stays as it is, or [B, T, A].
    """
    return keras.ops.reshape(q_values, (-1, q_values.shape[-1]))


def as_steps(
    y: dict[str, Any], outputs: dict[str, Any], sample_weight: Any
) -> tuple[dict[str, Any], Any, Any]:
    """Return sequences [B, T, ...] as rows [B * T, ...].

    Args:
        y: The dictionary of a batch. `next_observation` stays as it is.
        outputs: What `call_q_network` gave.
        sample_weight: Weights of sequences [B], or `None`.

    Returns:
        A tuple `(y, q_values, weight)`; where no step is, the weight is 0.
    """
    steps = {
        name: part
        for name, part in y.items()
        if name not in ("next_observation", "index")
    }
    steps, outputs, weight = flatten_time(steps, outputs, None)
    if sample_weight is not None:
        times = keras.ops.shape(y["mask"])[1]
        weight = weight * keras.ops.repeat(sample_weight, times)
    steps["next_observation"] = y["next_observation"]
    return steps, outputs["q_values"], weight


def td_errors_of(td_error: Any, mask: Any) -> Any:
    """Return one TD error for each index of a batch.

    Args:
        td_error: Of all steps, [B], or [B * T] of sequences.
        mask: Of sequences, the steps that are there, [B, T], else `None`.
    """
    if mask is None:
        return td_error
    steps = keras.ops.reshape(td_error, keras.ops.shape(mask))
    return sequence_td_error(steps, mask)
