"""One gradient step of C51 and QR-DQN, by hand, and what surrounds it."""

import keras
import numpy as np
import pytest

import keras_rlkit as rlk

# Two states, two actions, three numbers for each.
ONLINE = np.array([[[0, 1, 2], [1, 1, 1]], [[0, 4, 2], [3, 3, -3]]], "float32")
TARGET = np.array([[[5, 0, 0], [0, 2, 7]], [[1, 2, 6], [0, 3, 0]]], "float32")


def table(head, numbers=ONLINE):
    """A network that looks the head's numbers up: one row per state."""
    network = keras.Sequential(
        [
            keras.Input((), dtype="int32"),
            keras.layers.Embedding(2, 2, name="one_hot"),
            head,
        ]
    )
    rows = numbers.reshape(2, -1)
    network.set_weights([np.eye(2), rows, np.zeros(6)])
    network.get_layer("one_hot").trainable = False
    return network


def categorical(**arguments):
    head = rlk.layers.CategoricalValueHead(
        2, num_atoms=3, value_range=(0, 2), dueling=False
    )
    return rlk.models.CategoricalDQN(
        table(head), target_update_period=100, **arguments
    )


def quantile(**arguments):
    head = rlk.layers.QuantileValueHead(2, num_quantiles=3, dueling=False)
    return rlk.models.QuantileDQN(
        table(head), target_update_period=100, **arguments
    )


def set_target(agent):
    agent.target_weights[1].assign(TARGET.reshape(2, -1))


def softmax(numbers):
    exponents = np.exp(np.asarray(numbers, "float64"))
    return exponents / exponents.sum(axis=-1, keepdims=True)


STATE = np.array([0, 0], "int32")
BATCH = {
    "action": np.array([0, 1]),
    "reward": np.array([0.5, 1.5], "float32"),
    "discount": np.array([0.5, 0.0], "float32"),
    "next_observation": np.array([1, 1], "int32"),
}
# Of state 1 the online network prefers, by its means: C51, whose atoms are 0, 1
# and 2: softmax [0, 4, 2] has a mean of about 1.1, [3, 3, -3] of about 0.5. So
# action 0, double or not (target: [1, 2, 6] about 2.0 against [0, 3, 0]).
NEXT = softmax(TARGET[1, 0])
# 0.5 + 0.5 * [0, 1, 2] = [0.5, 1, 1.5]; 1.5 is halfway between two atoms.
TARGETS = np.array(
    [
        [
            NEXT[0] / 2,
            NEXT[0] / 2 + NEXT[1] + NEXT[2] / 2,
            NEXT[2] / 2,
        ],
        [0, 0.5, 0.5],
    ]
)


def test_one_step_of_categorical_q_learning():
    agent = categorical()
    set_target(agent)
    agent.compile(keras.optimizers.SGD(1.0))
    agent.keep_td_errors(2)
    batch = {**BATCH, "index": np.array([3, 4])}
    logs = agent.train_on_batch(STATE, batch, return_dict=True)
    probabilities = softmax(ONLINE[0])
    losses = -(TARGETS * np.log(probabilities)).sum(axis=1)
    assert logs["loss"] == pytest.approx(losses.mean(), rel=1e-5)
    atoms = np.arange(3)
    errors = TARGETS @ atoms - probabilities @ atoms
    assert logs["td_error"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    assert logs["q_value"] == pytest.approx((probabilities @ atoms).max())
    # The gradient of a cross-entropy is prediction - target.
    step = (probabilities - TARGETS) / 2
    kernel = agent.q_network.get_weights()[1]
    np.testing.assert_allclose(
        kernel[0].reshape(2, 3), ONLINE[0] - step, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(kernel[1].reshape(2, 3), ONLINE[1])
    # Priorities are divergences: 0 * log(0) is 0.
    positive = np.where(TARGETS > 0, TARGETS, 1)
    divergence = losses + (TARGETS * np.log(positive)).sum(axis=1)
    index, priority = agent.take_td_errors()
    assert index.tolist() == [3, 4]
    np.testing.assert_allclose(priority, divergence, rtol=1e-4)


@pytest.mark.parametrize(
    "double, best", [(True, ONLINE), (False, TARGET)], ids=["double", "plain"]
)
def test_one_step_of_quantile_regression(double, best):
    agent = quantile(double=double)
    set_target(agent)
    agent.compile(keras.optimizers.SGD(1.0))
    logs = agent.train_on_batch(STATE, BATCH, return_dict=True)
    # Means of state 1: online 2 and 1, target 3 and 1: action 0 either way.
    action = best[1].mean(axis=1).argmax()
    targets = np.stack([0.5 + 0.5 * TARGET[1, action], np.full(3, 1.5)])
    taus = np.array([1, 3, 5]) / 6
    quantiles = ONLINE[0]
    loss, slope = np.zeros(2), np.zeros((2, 3))
    for row in range(2):
        for place, tau in enumerate(taus):
            for value in targets[row]:
                error = value - quantiles[row, place]
                size = abs(error)
                huber = size - 0.5 if size > 1 else error**2 / 2
                weight = abs(tau - (error < 0))
                loss[row] += weight * huber / 3
                slope[row, place] -= weight * np.clip(error, -1, 1) / 3
    assert logs["loss"] == pytest.approx(loss.mean(), rel=1e-5)
    errors = targets.mean(axis=1) - quantiles.mean(axis=1)
    assert logs["td_error"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    kernel = agent.q_network.get_weights()[1][0].reshape(2, 3)
    np.testing.assert_allclose(
        kernel, ONLINE[0] - slope / 2, rtol=1e-5, atol=1e-6
    )


def test_the_online_network_chooses():
    # It prefers action 1 in state 1 now; the target network values it.
    agent = quantile()
    set_target(agent)
    numbers = ONLINE.copy()
    numbers[1] = [[0, 0, 0], [1, 1, 1]]
    agent.q_network.layers[-1].advantage.kernel.assign(numbers.reshape(2, -1))
    target = agent.target_distribution(BATCH)
    np.testing.assert_allclose(target[0], 0.5 + 0.5 * TARGET[1, 1])
    # A mask forbids it.
    masked = {**BATCH, "next_action_mask": np.array([[True, False]] * 2)}
    np.testing.assert_allclose(
        agent.target_distribution(masked)[0], 0.5 + 0.5 * TARGET[1, 0]
    )


@pytest.mark.parametrize("make", [categorical, quantile])
def test_behind_an_end_nothing_is_seen(make):
    agent = make()
    agent.target_weights[1].assign(np.full((2, 6), np.nan))
    agent.compile(keras.optimizers.SGD(1.0))
    ended = {**BATCH, "discount": np.zeros(2, "float32")}
    logs = agent.train_on_batch(STATE, ended, return_dict=True)
    assert np.isfinite(logs["loss"])
    assert np.isfinite(agent.q_network.get_weights()[1]).all()


@pytest.mark.parametrize("make", [categorical, quantile])
def test_weights_multiply_the_loss(make):
    losses = []
    for weight in ([1.0, 0.0], [0.0, 1.0], [0.5, 2.0]):
        agent = make()
        set_target(agent)
        agent.compile(keras.optimizers.SGD(0.0))
        weight = np.array(weight, "float32")
        logs = agent.train_on_batch(STATE, BATCH, weight, return_dict=True)
        losses.append(logs["loss"])
    assert losses[2] == pytest.approx(0.5 * losses[0] + 2 * losses[1])
    assert losses[0] > 0 and losses[1] > 0


@pytest.mark.parametrize("make", [categorical, quantile])
def test_calling_gives_q_values(make):
    agent = make()
    numbers = ONLINE if make is quantile else softmax(ONLINE)
    expected = numbers.mean(-1) if make is quantile else numbers @ np.arange(3)
    for training in (None, False, True):
        q_values = agent(np.arange(2, dtype="int32"), training=training)
        np.testing.assert_allclose(q_values, expected, rtol=1e-5)
    np.testing.assert_allclose(
        agent.predict(np.arange(2, dtype="int32"), verbose=0),
        expected,
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        agent.return_distribution(np.arange(2, dtype="int32")),
        numbers,
        rtol=1e-5,
    )
    assert agent.num_actions == 2
    assert agent.output_shape == (None, 2)


@pytest.mark.parametrize("make", [categorical, quantile])
def test_one_forward_pass_is_enough(make):
    # A network that counts its passes in training.
    agent = make()
    counts = []
    inner = agent.q_network.call

    def call(inputs, training=None, mask=None):
        counts.append(training)
        return inner(inputs, training=training, mask=mask)

    agent.q_network.call = call
    agent.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    agent.train_on_batch(STATE, BATCH)
    assert counts.count(True) == 1
    # One of the online and one of the target network for the target.
    assert counts.count(False) == 2


@pytest.mark.parametrize("make", [categorical, quantile])
def test_evaluation_gives_the_same_loss(make):
    agent = make()
    set_target(agent)
    agent.compile(keras.optimizers.SGD(0.0))
    trained = agent.train_on_batch(STATE, BATCH, return_dict=True)
    tested = agent.evaluate(STATE, BATCH, verbose=0, return_dict=True)
    assert tested["loss"] == pytest.approx(trained["loss"], rel=1e-5)
    assert tested["td_error"] == pytest.approx(trained["td_error"], rel=1e-5)


def test_a_recurrent_network_learns_distributions():
    inputs = keras.Input((None, 2))
    features = keras.layers.GRU(4, return_sequences=True)(inputs)
    network = keras.Model(
        inputs, rlk.layers.QuantileValueHead(3, num_quantiles=5)(features)
    )
    agent = rlk.models.QuantileDQN(network)
    agent.compile("adam")
    random = np.random.default_rng(0)
    state = (random.normal(size=(2, 4)).astype("float32"),)
    observation, following = (
        rlk.utils.RecurrentInput(
            random.normal(size=(2, 6, 2)).astype("float32"), state
        )
        for _ in range(2)
    )
    batch = {
        "action": random.integers(3, size=(2, 6)),
        "reward": np.ones((2, 6), "float32"),
        "discount": np.full((2, 6), 0.9, "float32"),
        "next_observation": following,
        "mask": np.ones((2, 6), bool),
    }
    logs = agent.train_on_batch(observation, batch, return_dict=True)
    assert np.isfinite(logs["loss"])
    assert agent(observation)["q_values"].shape == (2, 6, 3)


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: rlk.models.CategoricalDQN(
                keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
            ),
            "one output of shape \\(batch, num_actions, numbers\\)",
        ),
        (
            lambda: rlk.models.CategoricalDQN(
                keras.Sequential(
                    [keras.Input((2,)), rlk.layers.QuantileValueHead(3)]
                )
            ),
            "one `CategoricalValueHead`, its last layer",
        ),
        (
            lambda: rlk.models.DoubleDQN(
                keras.Sequential(
                    [keras.Input((2,)), rlk.layers.QuantileValueHead(3)]
                )
            ),
            "must have a recurrent layer",
        ),
        (
            lambda: quantile().compile("sgd", loss="mse"),
            "`loss` is not used: `QuantileDQN` has its own",
        ),
    ],
)
def test_what_does_not_fit(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def contract_arguments(head):
    def arguments():
        network = keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(4, "tanh"), head()]
        )
        return {
            "q_network": network,
            "target_update_rate": 1,
            "target_update_period": 3,
            "double": False,
        }

    return arguments


def contract(head):
    random = np.random.default_rng(0)
    return {
        "data": (
            random.normal(size=(8, 2)).astype("float32"),
            {
                "action": random.integers(2, size=8),
                "reward": random.normal(size=8).astype("float32"),
                "discount": np.float32([0.9, 0] * 4),
                "next_observation": random.normal(size=(8, 2)).astype(
                    "float32"
                ),
            },
            np.linspace(0.5, 1, 8, dtype="float32"),
        ),
        "arguments": contract_arguments(head),
        "bad": {
            "target_update_rate": [0, 1.5],
            "target_update_period": [0, 2.5],
        },
    }


CONTRACT = {
    rlk.models.CategoricalDQN: contract(
        lambda: rlk.layers.CategoricalValueHead(2, num_atoms=5)
    ),
    rlk.models.QuantileDQN: contract(
        lambda: rlk.layers.QuantileValueHead(2, num_quantiles=5)
    ),
}
