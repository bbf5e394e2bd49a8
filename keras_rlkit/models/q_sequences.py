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
) -> tuple[Any, tuple | None]:
    """Return what a network gives, and the state behind sequences.

    Args:
        recurrent: What sets the state of the network; `None` for one without
            memory.
        network: Called as `network(observation, training=training)`.
        inputs: As `call_with_memory` takes them.
        training: As in calling a Keras model.

    Returns:
        A tuple `(output, state)`, the second `None` without memory.
    """

    def call(observation: Any, training: bool | None) -> dict[str, Any]:
        return {"output": network(observation, training=training)}

    result = call_with_memory(recurrent, call, inputs, training)
    return result["output"], result.get("state")


def as_rows(recurrent: RecurrentNetworks | None, output: Any) -> Any:
    """Return a network's output on sequences as that on single observations.

    Args:
        recurrent: As in `call_q_network`.
        output: [B, ...], which stays as it is without memory, or [B, T, ...].
    """
    if recurrent is None:
        return output
    return keras.ops.reshape(output, (-1, *output.shape[2:]))


def as_steps(
    y: dict[str, Any], output: Any, sample_weight: Any
) -> tuple[dict[str, Any], Any, Any]:
    """Return sequences [B, T, ...] as rows [B * T, ...].

    Args:
        y: The dictionary of a batch. `next_observation` stays as it is.
        output: What the network gave, [B, T, ...].
        sample_weight: Weights of sequences [B], or `None`.

    Returns:
        A tuple `(y, output, weight)`; where no step is, the weight is 0.
    """
    steps = {
        name: part
        for name, part in y.items()
        if name not in ("next_observation", "index")
    }
    steps, outputs, weight = flatten_time(steps, {"output": output}, None)
    if sample_weight is not None:
        times = keras.ops.shape(y["mask"])[1]
        weight = weight * keras.ops.repeat(sample_weight, times)
    steps["next_observation"] = y["next_observation"]
    return steps, outputs["output"], weight


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
