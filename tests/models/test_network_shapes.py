import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.models.network_shapes import input_shape_of, output_shape_of


class Subclassed(keras.Model):
    """Applies a layer to what a function makes of its inputs."""

    def __init__(self, layer, convert=lambda inputs: inputs):
        super().__init__()
        self.layer = layer
        self.convert = convert

    def call(self, inputs):
        return self.layer(self.convert(inputs))


def called(network, inputs):
    network(inputs)
    return network


def test_functional_and_sequential_models_tell():
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    for each in (network, keras.Model(network.inputs, network.outputs)):
        assert input_shape_of(each) == (None, 4)
        assert output_shape_of(each) == (None, 3)


def test_subclassed_models_know_what_they_were_called_on():
    network = called(Subclassed(keras.layers.Dense(3)), np.zeros((7, 4)))
    assert input_shape_of(network) == (None, 4)
    assert output_shape_of(network) == (None, 3)


def test_asking_leaves_random_generators_as_they_are():
    layer = keras.layers.GaussianNoise(0.5, seed=3)
    network = called(Subclassed(layer), np.zeros((7, 4)))
    before = keras.ops.convert_to_numpy(layer.seed_generator.state)
    assert output_shape_of(network) == (None, 4)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(layer.seed_generator.state), before
    )


def test_networks_that_do_not_tell():
    """Several inputs, and what only eager calls can compute."""
    several = called(
        Subclassed(keras.layers.Dense(3), lambda parts: parts["a"]),
        {"a": np.ones((2, 3)), "b": np.ones((2, 1))},
    )
    layer = keras.layers.Dense(3)
    layer(np.ones((2, 4)))
    eager = Subclassed(layer, lambda x: keras.ops.convert_to_numpy(x) + 1)
    eager.build((None, 4))
    eager(np.ones((2, 4)))
    for network in (several, eager):
        assert output_shape_of(network) is None
        with pytest.raises(
            ValueError,
            match=r"`q_network` must have one output of shape .*shape None\. A "
            r"subclassed.*`keras.Model\(inputs, network\(inputs\)\)`",
        ):
            rlk.models.DoubleDQN(network)
