import keras
import numpy as np
import pytest

import keras_rlkit as rlk


def dense(units):
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, activation="tanh"),
            keras.layers.Dense(units),
        ]
    )


def of_images():
    return keras.Sequential(
        [
            keras.Input((2, 2), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            rlk.layers.DuelingHead(2, units=3),
        ]
    )


def functional():
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(2)(inputs) ** 2)


def two_outputs():
    inputs = keras.Input((3,))
    outputs = {
        "policy": keras.layers.Dense(2)(inputs),
        "value": keras.layers.Dense(1)(inputs),
    }
    return keras.Model(inputs, outputs)


class Subclassed(keras.Model):
    output_shape = (None, 2)

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


def subclassed():
    network = Subclassed()
    network(np.zeros((1, 3), "float32"))
    return network


AGENTS = {
    "images": lambda: rlk.models.DoubleDQN(of_images()),
    "functional": lambda: rlk.models.DoubleDQN(functional()),
    "subclassed": lambda: rlk.models.DoubleDQN(subclassed()),
    "actor and critic": lambda: rlk.models.ActorCritic(dense(2), dense(1)),
    "two outputs": lambda: rlk.models.ActorCritic(two_outputs(), clip=0.2),
}


def trained(name):
    agent = AGENTS[name]()
    generator = np.random.default_rng(0)
    x = generator.normal(size=(4, 3)).astype("float32")
    if name == "images":
        x = generator.integers(255, size=(4, 2, 2), dtype="uint8")
    ones = np.ones(4, "float32")
    if isinstance(agent, rlk.models.DoubleDQN):
        agent.compile("sgd", "huber")
        y = {"reward": ones, "discount": ones, "next_observation": x}
    else:
        agent.compile("sgd")
        y = {"advantage": ones, "value_target": ones, "value": ones}
        y["log_probability"] = -ones
    agent.fit(x, {**y, "action": np.zeros(4, "int32")}, verbose=0)
    return agent, x


def answers(artifact, x):
    served = artifact.serve(x)
    return (
        {k: v.numpy() for k, v in served.items()}
        if (isinstance(served, dict))
        else served.numpy()
    )


@pytest.mark.parametrize("name", AGENTS)
def test_the_exported_artifact_answers_as_the_agent(name, tmp_path):
    tf = pytest.importorskip("tensorflow")
    agent, x = trained(name)
    agent.export(tmp_path / "trained", verbose=False)
    artifact = tf.saved_model.load(str(tmp_path / "trained"))
    # Any number of observations, in the dtype that they come in.
    for size in (1, 4):
        expected = agent.predict(x[:size], verbose=0)
        keras.tree.map_structure(
            lambda ours, theirs: np.testing.assert_allclose(
                ours, theirs, rtol=1e-4, atol=1e-6
            ),
            answers(artifact, x[:size]),
            expected,
        )


def test_an_agent_that_was_loaded_or_never_called_exports(tmp_path):
    tf = pytest.importorskip("tensorflow")
    agent = AGENTS["functional"]()
    x = np.ones((2, 3), "float32")
    agent.save(tmp_path / "agent.keras")
    loaded = keras.saving.load_model(tmp_path / "agent.keras")
    expected = agent.q_network.predict(x, verbose=0)
    for number, model in enumerate((agent, loaded)):
        folder = tmp_path / str(number)
        model.export(folder, verbose=False)
        served = answers(tf.saved_model.load(str(folder)), x)
        np.testing.assert_allclose(served, expected, rtol=1e-5)


def test_a_signature_of_ones_own(tmp_path):
    tf = pytest.importorskip("tensorflow")
    agent = AGENTS["functional"]()
    spec = keras.layers.InputSpec(shape=(2, 3), dtype="float32")
    agent.export(tmp_path / "a", verbose=False, input_signature=[spec])
    artifact = tf.saved_model.load(str(tmp_path / "a"))
    assert artifact.serve(np.ones((2, 3), "float32")).shape == (2, 2)


@pytest.mark.parametrize("ending", [".h5", ".hdf5"])
@pytest.mark.parametrize("name", ["functional", "two outputs"])
def test_hdf5_is_refused_and_nothing_is_overwritten(name, ending, tmp_path):
    path = tmp_path / f"agent{ending}"
    path.write_text("something dear")
    kind = type(AGENTS[name]()).__name__
    with pytest.raises(
        ValueError, match=rf"`{kind}` is saved as a `.keras` file: .*{ending}"
    ):
        AGENTS[name]().save(path)
    assert path.read_text() == "something dear"


@pytest.mark.parametrize("name", ["functional", "two outputs"])
def test_weights_alone_go_into_hdf5(name, tmp_path):
    agent, other = trained(name)[0], AGENTS[name]()
    agent.save_weights(tmp_path / "agent.weights.h5")
    other.load_weights(tmp_path / "agent.weights.h5")
    for ours, theirs in zip(
        other.get_weights(), agent.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
