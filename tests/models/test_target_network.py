import keras
import numpy as np
import pytest

from keras_rlkit.models.target_network import copy_network


def sequential():
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(3, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5, seed=0),
            keras.layers.Dense(4),
        ]
    )


def functional():
    inputs = keras.Input((6, 6, 2))
    features = keras.layers.Flatten()(inputs)
    left = keras.layers.Dense(4)(features)
    right = keras.layers.Dense(4, activation="tanh")(features)
    return keras.Model(inputs, keras.layers.Add()([left, right]))


@keras.saving.register_keras_serializable("tests.target_network")
class Subclassed(keras.Model):
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.flatten = keras.layers.Flatten()
        self.dense = keras.layers.Dense(units)

    def call(self, inputs):
        return self.dense(self.flatten(inputs))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def subclassed():
    network = Subclassed()
    network(observations())
    return network


def observations():
    generator = np.random.default_rng(0)
    return generator.normal(size=(5, 6, 6, 2)).astype("float32")


@pytest.fixture(params=[sequential, functional, subclassed])
def network(request):
    keras.utils.set_random_seed(0)
    network = request.param()
    # Moving means and the like shall differ from those of a new network.
    network.set_weights([w + 0.1 for w in network.get_weights()])
    return network


def test_the_copy_computes_the_same(network):
    copy = copy_network(network)
    assert type(copy) is type(network)
    np.testing.assert_array_equal(
        copy.predict(observations(), verbose=0),
        network.predict(observations(), verbose=0),
    )


def test_nothing_is_shared_and_nothing_learns(network):
    copy = copy_network(network)
    assert copy.trainable_variables == [] and not copy.trainable
    assert network.trainable_variables
    before = copy.get_weights()
    assert len(before) == len(network.get_weights())
    network.set_weights([w + 1 for w in network.get_weights()])
    for new, old in zip(copy.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)


def test_a_frozen_part_stays_frozen_in_the_network_only():
    network = functional()
    network.layers[2].trainable = False
    copy_network(network)
    assert not network.layers[2].trainable
    assert len(network.trainable_variables) == 2
