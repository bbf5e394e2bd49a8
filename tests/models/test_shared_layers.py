"""Layers that networks have in common are one layer in every copy too."""

import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.callbacks.model_state import get_model_state, set_model_state

OBSERVATION = np.linspace(-1, 1, 32, dtype="float32").reshape(8, 4)
BATCH = {
    "action": np.arange(8) % 2,
    "advantage": np.linspace(-1, 2, 8, dtype="float32"),
    "value_target": np.linspace(0, 3, 8, dtype="float32"),
    "value": np.zeros(8, "float32"),
    "log_probability": np.full(8, np.log(0.5), "float32"),
}
# Trunk 4 * 8 + 8, policy 8 * 2 + 2, value 8 + 1.
PARAMETERS = 40 + 18 + 9


def dense(units, **arguments):
    return keras.layers.Dense(units, **arguments)


def on_one_tensor():
    inputs = keras.Input((4,))
    trunk = dense(8, activation="tanh")(inputs)
    return [keras.Model(inputs, dense(n)(trunk)) for n in (2, 1)]


def on_inputs_of_their_own():
    trunk = dense(8, activation="tanh")
    networks = []
    for units in (2, 1):
        inputs = keras.Input((4,))
        networks.append(keras.Model(inputs, dense(units)(trunk(inputs))))
    return networks


def one_above_the_other():
    # The trunk is used twice in the second network, and names repeat.
    trunk = dense(8, activation="tanh", name="hidden")
    inputs = keras.Input((4,))
    policy = keras.Model(inputs, dense(2, name="out")(trunk(inputs)))
    inputs = keras.Input((4,))
    folded = keras.layers.Add()([trunk(inputs), trunk(-inputs)])
    value = keras.Model(inputs, dense(1, name="out")(folded))
    return [policy, value]


def sequential():
    trunk = dense(8, activation="tanh")
    return [
        keras.Sequential([keras.Input((4,)), trunk, dense(units)])
        for units in (2, 1)
    ]


def a_nested_model():
    trunk = keras.Sequential([keras.Input((4,)), dense(8, activation="tanh")])
    networks = []
    for units in (2, 1):
        inputs = keras.Input((4,))
        networks.append(keras.Model(inputs, dense(units)(trunk(inputs))))
    return networks


def a_layer_of_nested_models():
    shared = dense(8, activation="tanh", name="same")
    networks = []
    for units in (2, 1):
        body = keras.Sequential([keras.Input((4,)), shared], name="body")
        inputs = keras.Input((4,))
        networks.append(keras.Model(inputs, dense(units)(body(inputs))))
    return networks


def a_wrapped_layer():
    shared = dense(8, activation="tanh")
    networks = []
    for units in (2, 1):
        inputs = keras.Input((4,))
        steps = keras.layers.Reshape((1, 4))(inputs)
        steps = keras.layers.TimeDistributed(shared)(steps)
        outputs = dense(units)(keras.layers.Flatten()(steps))
        networks.append(keras.Model(inputs, outputs))
    return networks


def two_models_in_one():
    inputs = keras.Input((4,))
    policy, value = on_one_tensor()
    return [
        keras.Model(inputs, {"policy": policy(inputs), "value": value(inputs)})
    ]


@keras.saving.register_keras_serializable("test_shared_layers")
class OnTrunk(keras.Model):
    def __init__(self, trunk, units, **arguments):
        super().__init__(**arguments)
        self.trunk, self.units = trunk, units
        self.head = dense(units)

    def call(self, inputs):
        return self.head(self.trunk(inputs))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)

    @property
    def output_shape(self):
        return (None, self.units)

    @property
    def input_shape(self):
        return (None, 4)

    def get_config(self):
        trunk = keras.saving.serialize_keras_object(self.trunk)
        return {**super().get_config(), "trunk": trunk, "units": self.units}

    @classmethod
    def from_config(cls, config):
        trunk = keras.saving.deserialize_keras_object(config.pop("trunk"))
        return cls(trunk, **config)


def subclassed():
    trunk = dense(8, activation="tanh")
    networks = [OnTrunk(trunk, units) for units in (2, 1)]
    for network in networks:
        network.build((None, 4))
        network(OBSERVATION)
    return networks


KINDS = [
    on_one_tensor,
    on_inputs_of_their_own,
    one_above_the_other,
    sequential,
    a_nested_model,
    a_layer_of_nested_models,
    a_wrapped_layer,
    two_models_in_one,
    subclassed,
]


def new_agent(networks):
    agent = rlk.models.ActorCritic(*networks, clip=0.2)
    agent.compile(keras.optimizers.Adam(0.1))
    return agent


def fit(agent):
    agent.fit(OBSERVATION, BATCH, batch_size=8, shuffle=False, verbose=0)


def check_equal(agent, other):
    for one, two in zip(agent.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6)
    here, there = (model(OBSERVATION) for model in (agent, other))
    for key in here:
        np.testing.assert_allclose(here[key], there[key], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_keeps_one_trunk(kind, tmp_path):
    agent = new_agent(kind())
    assert agent.count_params() == PARAMETERS
    fit(agent)
    agent.save(tmp_path / "agent.keras")
    loaded = keras.saving.load_model(tmp_path / "agent.keras", safe_mode=True)
    assert loaded.count_params() == PARAMETERS
    check_equal(agent, loaded)
    # Two trunks, or another state of the optimizer, would part here.
    fit(agent)
    fit(loaded)
    check_equal(agent, loaded)
    # A copy of the copy.
    loaded.save(tmp_path / "again.keras")
    again = keras.saving.load_model(tmp_path / "again.keras")
    assert again.count_params() == PARAMETERS
    check_equal(loaded, again)


@pytest.mark.parametrize("kind", KINDS)
def test_copies_from_configs_keep_one_trunk(kind):
    agent = new_agent(kind())
    for copy in (
        rlk.models.ActorCritic.from_config(agent.get_config()),
        keras.models.clone_model(agent),
    ):
        assert copy.count_params() == PARAMETERS
        assert not {id(w) for w in copy.weights} & {
            id(w) for w in agent.weights
        }
        copy.set_weights(agent.get_weights())
        check_equal(agent, copy)
        # What keras has made of the networks is what they were.
        assert type(copy.policy_network) is type(agent.policy_network)


@pytest.mark.parametrize("kind", [on_one_tensor, subclassed])
def test_weights_alone_and_the_state_of_a_resumed_training(kind, tmp_path):
    agent, other, resumed = (new_agent(kind()) for _ in range(3))
    fit(agent)
    agent.save_weights(tmp_path / "agent.weights.h5")
    other.load_weights(tmp_path / "agent.weights.h5")
    check_equal(agent, other)
    set_model_state(resumed, get_model_state(agent))
    fit(agent)
    fit(resumed)
    check_equal(agent, resumed)


def test_networks_that_share_nothing_stay_apart():
    # The same names in both, as loops over two networks make them.
    networks = [
        keras.Sequential(
            [keras.Input((4,)), dense(8, name="hidden"), dense(n, name="out")],
            name="network",
        )
        for n in (2, 1)
    ]
    agent = new_agent(networks)
    copy = rlk.models.ActorCritic.from_config(agent.get_config())
    assert copy.count_params() == agent.count_params() == PARAMETERS + 40
    copy.set_weights(agent.get_weights())
    check_equal(agent, copy)
    # Nothing in the config but what Keras writes.
    assert agent.get_config()["policy_network"] == (
        keras.saving.serialize_keras_object(networks[0])
    )


def test_a_frozen_trunk_stays_frozen(tmp_path):
    networks = on_inputs_of_their_own()
    networks[0].layers[1].trainable = False
    agent = new_agent(networks)
    agent.save(tmp_path / "agent.keras")
    loaded = keras.saving.load_model(tmp_path / "agent.keras")
    assert len(loaded.trainable_weights) == len(agent.trainable_weights) == 4


def test_a_q_network_of_two_models_on_one_trunk(tmp_path):
    inputs = keras.Input((4,))
    advantage, value = on_one_tensor()
    q = keras.layers.Add()([advantage(inputs), value(inputs)])
    agent = rlk.models.DoubleDQN(keras.Model(inputs, q))
    agent.compile(loss="mse")
    # Online and target network, and the count of gradient steps.
    assert agent.count_params() == 2 * PARAMETERS + 1
    agent.save(tmp_path / "agent.keras")
    loaded = keras.saving.load_model(tmp_path / "agent.keras")
    np.testing.assert_allclose(
        loaded(OBSERVATION), agent(OBSERVATION), rtol=1e-5
    )
    copy = keras.models.clone_model(agent)
    assert loaded.count_params() == copy.count_params() == 2 * PARAMETERS + 1
