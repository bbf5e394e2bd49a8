import jax
import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.models import jax_execution, target_network_agent

if keras.backend.backend() != "jax":
    pytest.skip("TensorFlow executes in a loop itself", allow_module_level=True)

BATCH = 4
left_to_keras = pytest.mark.skipif(
    jax_execution.keras_scans(), reason="Keras scans from version 3.16 on"
)


def make_agent(steps_per_execution, **options):
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dropout(0.2, seed=0),
            keras.layers.Dense(2),
        ]
    )
    agent = rlk.models.DoubleDQN(network, target_update_period=3)
    agent.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss="huber",
        metrics=["mae"],
        steps_per_execution=steps_per_execution,
        **options,
    )
    return agent


class Logs(keras.callbacks.Callback):
    """Keeps what callbacks are told after each execution."""

    def __init__(self):
        super().__init__()
        self.logs = {}

    def on_train_batch_end(self, batch, logs=None):
        self.logs[batch] = dict(logs)


def fit(agent, size, callbacks=()):
    random = np.random.default_rng(0)
    observation, next_observation = random.normal(size=(2, size, 3))
    transition = {
        "action": random.integers(2, size=size),
        "reward": random.normal(size=size),
        "discount": np.full(size, 0.9),
        "next_observation": next_observation,
    }
    return agent.fit(
        observation,
        transition,
        batch_size=BATCH,
        epochs=2,
        callbacks=list(callbacks),
        shuffle=False,
        verbose=0,
    ).history


@pytest.fixture
def scans(monkeypatch):
    """Numbers of executions that took all steps in one call, or didn't."""
    counts = {"scanned": 0, "one by one": 0}

    def make_scan(model, one_by_one):
        def noted(state, iterator):
            counts["one by one"] += 1
            return one_by_one(state, iterator)

        execute = jax_execution.make_scan(model, noted)

        def function(state, iterator):
            counts["scanned"] += 1
            return execute(state, iterator)

        return function

    monkeypatch.setattr(target_network_agent, "make_scan", make_scan)
    return counts


# 24 rows are two executions of three batches. Of 22, the last batch is smaller;
# 20 don't fill the second execution.
@pytest.mark.parametrize("size, left", [(24, 0), (22, 2), (20, 2)])
def test_several_steps_in_one_call_are_the_same_steps(size, left, scans):
    agents = [make_agent(count) for count in (3, 1)]
    logs = [Logs(), Logs()]
    histories = [
        fit(agent, size, [each])
        for agent, each in zip(agents, logs, strict=True)
    ]
    if not jax_execution.keras_scans():
        assert scans["one by one"] == left
        assert scans["scanned"] >= 4
    for weights in zip(*(agent.get_weights() for agent in agents), strict=True):
        np.testing.assert_allclose(*weights, rtol=1e-4, atol=1e-6)
    steps = [int(agent.gradient_steps) for agent in agents]
    assert steps == [2 * -(-size // BATCH)] * 2
    assert steps == [int(agent.optimizer.iterations) for agent in agents]
    # An execution that isn't filled has no number of its own.
    ends = logs[0].logs.keys() & logs[1].logs.keys()
    assert 2 in ends
    for end in ends:
        for name, value in logs[0].logs[end].items():
            np.testing.assert_allclose(
                value, logs[1].logs[end][name], rtol=1e-4
            )
    assert list(histories[0]) == list(histories[1])
    for name in histories[0]:
        np.testing.assert_allclose(
            histories[0][name], histories[1][name], rtol=1e-4
        )


@left_to_keras
@pytest.mark.parametrize(
    "options", [{"jit_compile": False}, {"run_eagerly": True}], ids=str
)
def test_what_is_not_compiled_is_not_scanned(options):
    assert jax_execution.can_scan(make_agent(3))
    assert not jax_execution.can_scan(make_agent(1))
    assert not jax_execution.can_scan(make_agent(3, **options))


def make_convolutional(steps_per_execution=3):
    layers = [
        keras.Input((4, 4, 1)),
        keras.layers.Conv2D(2, 3),
        keras.layers.Flatten(),
        keras.layers.Dense(2),
    ]
    keras.utils.set_random_seed(0)
    agent = rlk.models.DoubleDQN(keras.Sequential(layers))
    agent.compile("adam", "mse", steps_per_execution=steps_per_execution)
    return agent


def test_convolutions_are_not_scanned_on_a_cpu():
    agent = make_convolutional()
    assert not jax_execution.can_scan(agent)
    assert jax_execution.must_unroll(agent) == jax_execution.keras_scans()


def test_of_a_keras_that_scans_convolutions_are_taken_one_by_one(monkeypatch):
    agent, one_by_one = make_convolutional(3), make_convolutional(1)
    with monkeypatch.context() as patch:
        patch.setattr(keras, "__version__", "3.16.0")
        assert jax_execution.must_unroll(agent)
        assert not jax_execution.must_unroll(one_by_one)
        assert not jax_execution.must_unroll(make_agent(3))
    random = np.random.default_rng(0)
    observation = random.normal(size=(7, 2, 4, 4, 1)).astype("float32")
    transition = {
        "action": random.integers(2, size=(7, 2)).astype("int32"),
        "reward": random.normal(size=(7, 2)).astype("float32"),
        "discount": np.full((7, 2), 0.9, "float32"),
        "next_observation": observation[::-1].copy(),
    }
    batches = [
        (observation[i], {name: part[i] for name, part in transition.items()})
        for i in range(7)
    ]
    # As Keras hands them out: three stacked, three stacked, and a rest.
    pieces = [
        (
            observation[a : a + 3],
            {n: p[a : a + 3] for n, p in transition.items()},
        )
        for a in (0, 3)
    ]
    results = []
    for made, data in ((agent, [*pieces, batches[6:]]), (one_by_one, batches)):
        made._symbolic_build(data_batch=batches[0])
        state = tuple(
            [jax.numpy.array(variable.value) for variable in variables]
            for variables in (
                made.trainable_variables,
                made.non_trainable_variables,
                made.optimizer.variables,
                made.metrics_variables,
            )
        )
        if made is agent:
            execute, data = jax_execution.make_unrolled(made), iter(data)
            for _ in range(3):
                logs, state = execute(state, data)
        else:
            for batch in data:
                logs, state = made.train_step(state, batch)
        results.append((logs, state[:2]))
    for ours, theirs in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "version, scans",
    [
        ("3.9.2", False),
        ("3.15.1", False),
        ("3.16.0.dev2026102704", True),
        ("4.0.0", True),
    ],
)
def test_a_keras_that_scans_is_left_to_do_it(version, scans, monkeypatch):
    agent = make_agent(3)
    monkeypatch.setattr(keras, "__version__", version)
    assert jax_execution.keras_scans() == scans
    assert jax_execution.can_scan(agent) == (not scans)
