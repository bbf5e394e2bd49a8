"""Recurrent layers that begin with a given state."""

import keras
import numpy as np
import pytest

from keras_rlkit.models.recurrent_calls import call_with_memory
from keras_rlkit.models.recurrent_networks import RecurrentNetworks
from keras_rlkit.utils import BurnInInput, RecurrentInput

layers = keras.layers
RANDOM = np.random.default_rng(0)


def stacked():
    inputs = keras.Input((None, 3))
    x = layers.LSTM(5, return_sequences=True)(inputs)
    x = layers.Dense(4, activation="relu")(x)
    x = layers.GRU(4, return_sequences=True)(x)
    return keras.Model(inputs, layers.Dense(2)(x))


def of_cells():
    cells = [layers.LSTMCell(3), layers.SimpleRNNCell(2)]
    return keras.Sequential(
        [keras.Input((None, 3)), layers.RNN(cells, return_sequences=True)]
    )


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.memory = layers.LSTM(4, return_sequences=True, return_state=True)

    def call(self, inputs):
        return self.memory(inputs)[0]


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 2, 3), "float32"))
    return model


NETWORKS = {
    "stacked": (stacked, ((5,), (5,), (4,))),
    "cells": (of_cells, ((3,), (3,), (2,))),
    "subclassed": (subclassed, ((4,), (4,))),
}


def run(network, observation, state, burn_in=None):
    if burn_in is None:
        inputs = RecurrentInput(observation, state)
    else:
        inputs = BurnInInput(observation, state, burn_in)
    recurrent = RecurrentNetworks([network])
    result = call_with_memory(
        recurrent,
        lambda part, training: {"out": network(part, training=training)},
        inputs,
        False,
    )
    return keras.tree.map_structure(keras.ops.convert_to_numpy, result)


def zeros(network, size=2):
    shapes = RecurrentNetworks([network]).state_shape
    return tuple(np.zeros((size, *shape), "float32") for shape in shapes)


@pytest.mark.parametrize("make, shapes", NETWORKS.values(), ids=NETWORKS)
def test_step_by_step_is_as_the_whole_sequence(make, shapes):
    network = make()
    assert RecurrentNetworks([network]).state_shape == shapes
    observation = RANDOM.normal(size=(2, 6, 3)).astype("float32")
    whole = keras.ops.convert_to_numpy(network(observation))
    state, outputs = zeros(network), []
    for step in range(6):
        result = run(network, observation[:, step : step + 1], state)
        state = result["state"]
        outputs.append(result["out"])
    np.testing.assert_allclose(
        np.concatenate(outputs, axis=1), whole, atol=1e-6
    )
    # Left as it was: it begins with zeros again.
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(network(observation)), whole
    )


@pytest.mark.parametrize("make, _", NETWORKS.values(), ids=NETWORKS)
def test_a_burn_in_brings_the_state_up_to_date(make, _):
    network = make()
    observation = RANDOM.normal(size=(2, 6, 3)).astype("float32")
    state = tuple(
        RANDOM.normal(size=part.shape).astype("float32")
        for part in zeros(network)
    )
    whole = run(network, observation, state)
    burnt = run(network, observation, state, np.ones((2, 4), bool))
    np.testing.assert_allclose(burnt["out"], whole["out"][:, 4:], atol=1e-6)
    # Of steps that are not there, nothing is seen; whatever stands there.
    padded = np.concatenate([np.full((2, 2, 3), 9, "float32"), observation], 1)
    there = np.array([[False, False, True, True, True, True]] * 2)
    padded = run(network, padded, state, there)
    np.testing.assert_allclose(padded["out"], burnt["out"], atol=1e-6)
    for part, same in zip(padded["state"], whole["state"], strict=True):
        np.testing.assert_allclose(part, same, atol=1e-6)


def test_a_layer_is_itself_again_after_an_error():
    network = stacked()
    recurrent = RecurrentNetworks([network])
    with pytest.raises(RuntimeError), recurrent.begin_with(zeros(network)):
        raise RuntimeError("stop")
    assert all("call" not in vars(layer) for layer in network.layers)
    network(np.zeros((1, 2, 3), "float32"))


def test_the_state_is_float32():
    with keras.device("cpu:0"):
        network = keras.Sequential(
            [
                keras.Input((None, 3)),
                layers.GRU(4, return_sequences=True, dtype="mixed_bfloat16"),
            ]
        )
    result = run(network, np.ones((2, 1, 3), "float32"), zeros(network))
    assert result["state"][0].dtype == np.float32


@pytest.mark.parametrize(
    "layer, message",
    [
        (lambda: layers.LSTM(3, return_sequences=True, stateful=True), "stat"),
        (
            lambda: layers.LSTM(3, return_sequences=True, go_backwards=True),
            "go_backwards=True",
        ),
        (
            lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            "go_backwards=True",
        ),
        (lambda: layers.Dense(3), "must have a recurrent layer"),
    ],
)
def test_layers_without_a_state_to_carry(layer, message):
    network = keras.Sequential(
        [keras.Input((None, 3), batch_size=1), layer(), layers.Dense(2)]
    )
    with pytest.raises(ValueError, match=message):
        RecurrentNetworks([network])
