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


@pytest.fixture
def dtype_policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("dtype_policy", ["bfloat16", "float16"], indirect=True)
@pytest.mark.parametrize("make", [sequential, functional, subclassed])
def test_short_weights_are_copied_into_float32(make, dtype_policy):
    network = make()
    copy = copy_network(network)
    assert {w.dtype for w in network.weights} == {dtype_policy}
    assert {w.dtype for w in copy.weights} == {"float32"}
    # What is computed is the same, in the same type.
    ours, theirs = copy(observations()), network(observations())
    assert keras.backend.standardize_dtype(ours.dtype) == dtype_policy
    np.testing.assert_array_equal(
        *(
            keras.ops.convert_to_numpy(keras.ops.cast(part, "float32"))
            for part in (ours, theirs)
        )
    )
    assert keras.config.dtype_policy().name == dtype_policy


@pytest.mark.parametrize(
    "dtype_policy", ["mixed_bfloat16", "mixed_float16"], indirect=True
)
def test_mixed_precision_is_copied_as_it_is(dtype_policy):
    network = sequential()
    copy = copy_network(network)
    assert {w.dtype for w in copy.weights} == {"float32"}
    for ours, theirs in zip(copy.layers, network.layers, strict=True):
        assert ours.dtype_policy.name == theirs.dtype_policy.name


def test_one_layer_in_short_precision():
    layer = keras.layers.Dense(2, dtype="bfloat16")
    network = keras.Sequential([keras.Input((3,)), layer])
    copy = copy_network(network)
    assert copy.layers[0].dtype_policy.name == "mixed_bfloat16"
    assert layer.dtype_policy.name == "bfloat16"
