"""Under `tf.distribute`, policies take the step that one device takes."""

import json
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import contextlib
import json
import sys
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
import gymnasium
import keras
import numpy as np
import keras_rlkit as rlk

mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
generator = np.random.default_rng(0)
x = generator.normal(size=(7, 3)).astype("float32")
action = np.array([0, 1, 1, 0, 1, 0, 0])
old = np.log(generator.uniform(0.3, 0.7, size=7)).astype("float32")
advantage = generator.normal(size=7).astype("float32")
batch = {
    "action": action,
    "advantage": advantage,
    "value_target": generator.normal(size=7).astype("float32"),
    "value": np.zeros(7, "float32"),
    "log_probability": old,
}
weight = np.array([1, 2, 0.5, 1, 0, 3, 1], "float32")


def network(units):
    return keras.Sequential([
        keras.Input((3,)),
        keras.layers.Dense(units, kernel_regularizer=keras.regularizers.L2(1)),
    ])


def policy_loss(loss, targets):
    model = network(2)
    model.compile(keras.optimizers.SGD(0.1), loss)
    return model, (x, targets, advantage)


def actor_critic(**arguments):
    agent = rlk.models.ActorCritic(
        network(2), network(1), clip=0.2, entropy_weight=0.1, **arguments
    )
    agent.compile(keras.optimizers.Adam(0.1))
    return agent, (x, batch, weight)


CASES = {
    "policy_gradient": lambda: policy_loss(
        rlk.losses.PolicyGradientLoss(entropy_weight=0.1), action
    ),
    "sum": lambda: policy_loss(
        rlk.losses.PolicyGradientLoss(reduction="sum"), action
    ),
    "clipped_surrogate": lambda: policy_loss(
        rlk.losses.ClippedSurrogateLoss(), np.stack([action, old], axis=1)
    ),
    "actor_critic": actor_critic,
    "kl_stop": lambda: actor_critic(target_kl=1e-6),
    "no_kl_stop": lambda: actor_critic(target_kl=100.0),
}
results = {}
for name, case in CASES.items():
    for scope in (contextlib.nullcontext(), mirrored.scope()):
        keras.utils.set_random_seed(0)
        with scope:
            model, data = case()
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.Dense):
                layer.kernel.assign(np.linspace(
                    -1, 1, 3 * layer.units).reshape(3, layer.units))
        before = model.get_weights()
        # Shares of 2 and 2, of 2 and 1, of 1 and 0: only the first is even.
        rows = tf.data.Dataset.from_tensor_slices(data)
        data = rows.batch(4).concatenate(rows.take(1).batch(1))
        logs = model.fit(data, epochs=2, verbose=0).history
        weights = [
            [float(v) for w in listed for v in w.ravel()]
            for listed in (before, model.get_weights())
        ]
        results.setdefault(name, []).append([logs, *weights])


def collect():
    environment = gymnasium.make("CartPole-v1")
    buffer = rlk.replay.EpisodeBuffer.for_environment(environment, discount=0.9)
    model = network(2)
    rlk.callbacks.CollectEpisodes(
        environment, buffer, rlk.policies.Categorical(), episodes_per_epoch=1
    ).set_model(model)


def learn_q_values():
    agent = rlk.models.DoubleDQN(network(2))
    agent.compile("sgd", "mse")
    numbers = {key: advantage for key in ("reward", "discount")}
    batch = {"action": action, "next_observation": x, **numbers}
    data = tf.data.Dataset.from_tensor_slices((x[:4], {
        key: values[:4] for key, values in batch.items()
    }))
    agent.fit(data.batch(4), verbose=0)


refused = []
for attempt in (learn_q_values, collect):
    try:
        with mirrored.scope():
            attempt()
    except ValueError as error:
        refused.append(str(error))
print("RESULT", json.dumps([results, refused]))
"""


@pytest.fixture(scope="module")
def outcome():
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr[-3000:]
    line = [x for x in process.stdout.splitlines() if x.startswith("RESULT")]
    return json.loads(line[0].removeprefix("RESULT"))


@pytest.mark.tensorflow_only
@pytest.mark.parametrize(
    "name",
    [
        "policy_gradient",
        "sum",
        "clipped_surrogate",
        "actor_critic",
        "kl_stop",
        "no_kl_stop",
    ],
)
def test_two_replicas_take_the_steps_of_one_device(name, outcome):
    one, two = outcome[0][name]
    logs, before, weights = one
    logs_of_two, _, weights_of_two = two
    np.testing.assert_allclose(weights_of_two, weights, rtol=1e-4, atol=1e-5)
    assert set(logs_of_two) == set(logs)
    if name == "sum":
        # Keras logs a mean of sums, which the shares' sizes distort.
        return
    for key, values in logs.items():
        np.testing.assert_allclose(
            logs_of_two[key], values, rtol=1e-4, atol=1e-5, err_msg=key
        )
    # It stops from the first minibatch on, or never.
    if name == "kl_stop":
        np.testing.assert_array_equal(weights, before)
    if name == "no_kl_stop":
        np.testing.assert_allclose(weights, outcome[0]["actor_critic"][0][2])


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("which", ["DoubleDQN", "collecting for on-policy fit"])
def test_what_trains_on_one_device_says_so(which, outcome):
    message = outcome[1][which != "DoubleDQN"]
    assert "trains on one device" in message
    assert "`tf.distribute` strategy of 2 replicas" in message
    assert "outside of the strategy's scope" in message
