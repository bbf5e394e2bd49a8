import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.models import fused_update

if keras.backend.backend() != "tensorflow":
    pytest.skip("the update is fused on TensorFlow", allow_module_level=True)

BATCHES, BATCH = 5, 16


def make_agent(fuse, monkeypatch, body, optimizer, **options):
    monkeypatch.setattr(
        fused_update, "FUSED_FROM_WEIGHTS", 1 if fuse else 10**9
    )
    keras.utils.set_random_seed(0)
    network = keras.Sequential([*body(), keras.layers.Dense(3)])
    agent = rlk.models.DoubleDQN(network, target_update_period=2)
    agent.compile(
        optimizer=keras.optimizers.get(optimizer),
        loss="huber",
        metrics=["mae"],
        **options,
    )
    return agent


def vectors():
    return [keras.Input((4,)), keras.layers.Dense(8, activation="relu")]


def words():
    return [
        keras.Input((4,), dtype="int32"),
        keras.layers.Embedding(5, 3),
        keras.layers.Flatten(),
    ]


def batches():
    random = np.random.default_rng(0)
    size = BATCHES * BATCH
    observation, next_observation = random.integers(5, size=(2, size, 4))
    return observation, {
        "action": random.integers(3, size=size),
        "reward": random.normal(size=size),
        "discount": np.full(size, 0.9),
        "next_observation": next_observation,
    }


@pytest.mark.parametrize("body", [vectors, words])
@pytest.mark.parametrize("steps_per_execution", [1, 2])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_fused_update_gives_the_same(
    body, steps_per_execution, optimizer, monkeypatch
):
    agents, histories = [], []
    for fuse in (True, False):
        agent = make_agent(
            fuse,
            monkeypatch,
            body,
            optimizer,
            steps_per_execution=steps_per_execution,
        )
        assert fused_update.can_fuse(agent) == fuse
        history = agent.fit(
            *batches(), batch_size=BATCH, epochs=2, shuffle=False, verbose=0
        )
        agents.append(agent)
        histories.append(history.history)
    for weights in zip(*(agent.get_weights() for agent in agents), strict=True):
        np.testing.assert_allclose(*weights, rtol=1e-5, atol=1e-6)
    assert agents[0].gradient_steps.numpy() == 2 * BATCHES
    assert agents[0].optimizer.iterations.numpy() == 2 * BATCHES
    assert list(histories[0]) == list(histories[1])
    for name in histories[0]:
        np.testing.assert_allclose(
            histories[0][name], histories[1][name], rtol=1e-5
        )


def test_loss_scaling_skips_a_step_that_overflows(monkeypatch):
    agent = make_agent(True, monkeypatch, vectors, "sgd")
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    agent.compile(optimizer=optimizer, loss="mse")
    observation, transition = batches()
    before = agent.q_network.get_weights()
    transition["reward"] = np.full(len(observation), np.inf)
    agent.fit(observation, transition, batch_size=80, verbose=0)
    for old, new in zip(before, agent.q_network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    # What was scaled up for the gradient is scaled down for the update.
    twin = make_agent(True, monkeypatch, vectors, "sgd")
    twin.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    for each in (agent, twin):
        each.fit(*batches(), batch_size=80, verbose=0)
    for weights in zip(
        *(each.q_network.get_weights() for each in (agent, twin)), strict=True
    ):
        np.testing.assert_allclose(*weights, rtol=1e-5, atol=1e-7)
    assert (agent.q_network.get_weights()[0] != before[0]).any()


@pytest.mark.parametrize(
    "options", [{"jit_compile": True}, {"run_eagerly": True}], ids=str
)
def test_what_is_compiled_otherwise_is_not_fused(options, monkeypatch):
    agent = make_agent(True, monkeypatch, vectors, "sgd", **options)
    assert not fused_update.can_fuse(agent)


def test_small_networks_are_not_fused():
    network = keras.Sequential(vectors())
    agent = rlk.models.DoubleDQN(network)
    agent.compile("adam", "mse")
    assert not fused_update.can_fuse(agent)
