"""Calls of agents over sequences, and what their losses see of them."""

from collections.abc import Callable
from typing import Any

import keras

from keras_rlkit.models.recurrent_networks import RecurrentNetworks
from keras_rlkit.ops.replicas import mean_over_replicas
from keras_rlkit.utils import BurnInInput, RecurrentInput


def call_with_memory(
    recurrent: RecurrentNetworks | None,
    call: Callable[[Any, bool | None], Any],
    inputs: Any,
    training: bool | None,
) -> Any:
    """Return what networks give, of sequences also the state they ended in.

    A burn-in only brings the state up to date: it has no gradient, and counts
    as inference.

    Args:
        recurrent: What sets the state of the networks; `None` for those
            without memory, which are just called.
        call: Calls the networks with observations; of sequences it returns a
            dictionary.
        inputs: What the networks take; of recurrent ones `RecurrentInput` or
            `BurnInInput`, or observations [B, T, ...] alone to begin with
            zeros.
        training: As in calling a Keras model.

    Raises:
        ValueError: If networks without memory are given one of these.

    Reference:
        Kapturowski et al., Recurrent Experience Replay in Distributed
        Reinforcement Learning, section 3,
        https://openreview.net/forum?id=r1lyTjAqYX
    """
    if recurrent is None:
        _check_single(inputs)
        return call(inputs, training)
    if not isinstance(inputs, (RecurrentInput, BurnInInput)):
        inputs = RecurrentInput(inputs, _zeros(recurrent, inputs))
    observation, state = inputs.observation, inputs.state
    if isinstance(inputs, BurnInInput):
        first, observation = _split_time(observation, inputs.burn_in.shape[1])
        with recurrent.begin_with(state, inputs.burn_in) as ended:
            call(first, False)
        state = tuple(map(keras.ops.stop_gradient, ended))
    with recurrent.begin_with(state) as ended:
        output = call(observation, training)
    return {**output, "state": tuple(ended)}


def _check_single(inputs: Any) -> None:
    if isinstance(inputs, (RecurrentInput, BurnInInput)):
        raise ValueError(
            "A buffer with `sequence_length` is for networks with recurrent "
            "layers that give sequences, [B, T, ...] to [B, T, A], as "
            "`keras.layers.LSTM(64, return_sequences=True)` does. Received: "
            "sequences for a network that gives [B, A]."
        )


def check_sequences_of(targets: dict[str, Any]) -> None:
    """Raise if a recurrent network is to learn from single steps.

    Args:
        targets: Dictionary of a batch.

    Raises:
        ValueError: If there is no `"mask"`.
    """
    if "mask" not in targets:
        raise ValueError(
            "The network has recurrent layers whose state is carried from step "
            "to step, and learns from sequences: batches with `mask`. "
            f"Received: {sorted(targets)}. Make the buffer with "
            "`sequence_length=` and `state_shape=agent.state_shape`."
        )


def _zeros(recurrent: RecurrentNetworks, observation: Any) -> tuple:
    size = keras.ops.shape(keras.tree.flatten(observation)[0])[0]
    return tuple(
        keras.ops.zeros((size, *shape)) for shape in recurrent.state_shape
    )


def _split_time(observation: Any, steps: int) -> tuple[Any, Any]:
    """Return the first steps of sequences, and those behind them."""
    return (
        keras.tree.map_structure(lambda part: part[:, :steps], observation),
        keras.tree.map_structure(lambda part: part[:, steps:], observation),
    )


def flatten_time(
    targets: dict[str, Any], outputs: dict[str, Any], sample_weight: Any
) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Return sequences [B, T, ...] as rows [B * T, ...].

    Args:
        targets: Dictionary of a batch, with `"mask"` [B, T].
        outputs: What calling the agent gave.
        sample_weight: Weights [B], or `None`.

    Returns:
        A tuple `(targets, outputs, weight)`: weights are 0 where a sequence
        has no step, and 1 in the mean.
    """

    def flat(part: Any) -> Any:
        shape = keras.ops.shape(part)
        return keras.ops.reshape(part, (-1, *shape[2:]))

    mask = keras.ops.cast(targets["mask"], "float32")
    weight = mask
    if sample_weight is not None:
        weight = mask * keras.ops.expand_dims(sample_weight, 1)
    weight = weight / keras.ops.maximum(mean_over_replicas(weight), 1e-9)
    rest = {name: part for name, part in targets.items() if name != "mask"}
    shown = {name: part for name, part in outputs.items() if name != "state"}
    return (
        keras.tree.map_structure(flat, rest),
        keras.tree.map_structure(flat, shown),
        flat(weight),
    )
