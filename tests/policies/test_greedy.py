import keras
import numpy as np
import pytest

import keras_rlkit as rlk

OBSERVATIONS = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")


class FixedOutput:
    """Stands in for a model: the same output for any observations."""

    def __init__(self, output):
        self.output = output

    def predict_on_batch(self, observations):
        return self.output


class CountsTraces(keras.Model):
    """Runs Python in `call` only where it is traced."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(4)
        self.traces = 0

    def call(self, inputs):
        self.traces += 1
        return self.dense(inputs)


class ActsDuringFit(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        self.actions = rlk.policies.Greedy()(self.model, OBSERVATIONS, batch)

    def on_train_batch_end(self, batch, logs=None):
        self.on_train_batch_begin(batch)


def make_model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(8, "relu"),
            keras.layers.Dense(4),
        ]
    )
    model.compile("adam", "mse", steps_per_execution=2)
    return model


def test_chooses_the_best_action_of_each_row():
    output = np.array([[1.0, 3.0, 2.0], [-1.0, -3.0, -2.0]], "float32")
    actions = rlk.policies.Greedy()(FixedOutput(output), OBSERVATIONS[:2], 0)
    assert actions.dtype == np.int64
    np.testing.assert_array_equal(actions, [1, 0])


def test_first_action_wins_a_tie():
    output = np.array([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]])
    actions = rlk.policies.Greedy()(FixedOutput(output), OBSERVATIONS[:2], 0)
    np.testing.assert_array_equal(actions, [1, 0])


def test_forbidden_actions_may_be_minus_infinity():
    output = np.array([[-np.inf, -5.0]])
    actions = rlk.policies.Greedy()(FixedOutput(output), OBSERVATIONS[:1], 0)
    np.testing.assert_array_equal(actions, [1])


def test_follows_the_weights_of_a_keras_model():
    model = make_model()
    generator = np.random.default_rng(3)
    hidden_kernel = generator.normal(size=(3, 8))
    kernel = generator.normal(size=(8, 4))
    model.set_weights([hidden_kernel, np.zeros(8), kernel, np.zeros(4)])
    expected = np.maximum(OBSERVATIONS @ hidden_kernel, 0) @ kernel
    assert len(set(expected.argmax(axis=1))) > 1
    actions = rlk.policies.Greedy()(model, OBSERVATIONS, 0)
    np.testing.assert_array_equal(actions, expected.argmax(axis=1))
    model.layers[1].bias.assign([0.0, 0.0, 100.0, 0.0])
    actions = rlk.policies.Greedy()(model, OBSERVATIONS, 1)
    np.testing.assert_array_equal(actions, [2] * 6)


def test_acting_in_a_callback_leaves_training_as_it_is():
    x = np.random.default_rng(2).normal(size=(64, 3)).astype("float32")
    y = x @ np.ones((3, 4), "float32")
    plain, acting = make_model(), make_model()
    callback = ActsDuringFit()
    plain.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0)
    acting.fit(
        x,
        y,
        epochs=2,
        batch_size=8,
        shuffle=False,
        verbose=0,
        callbacks=[callback],
    )
    for one, other in zip(plain.get_weights(), acting.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        callback.actions, rlk.policies.Greedy()(plain, OBSERVATIONS, 0)
    )


@pytest.mark.parametrize(
    "policy",
    [
        rlk.policies.Greedy(),
        rlk.policies.EpsilonGreedy(0.5, seed=0),
        rlk.policies.Categorical(seed=0),
    ],
    ids=lambda policy: type(policy).__name__,
)
def test_a_hundred_calls_trace_nothing_anew(policy):
    model = CountsTraces()
    for _ in range(2):  # the first call builds the model
        policy(model, OBSERVATIONS, 0)
    traces = model.traces
    assert traces > 0
    for step in range(1, 101):
        policy(model, OBSERVATIONS, step)
    assert model.traces == traces


@pytest.mark.parametrize("kind", [tuple, list])
def test_first_of_several_outputs_counts(kind):
    output = kind([np.array([[0.0, 9.0]]), np.array([[5.0]])])
    actions = rlk.policies.Greedy()(FixedOutput(output), OBSERVATIONS[:1], 0)
    np.testing.assert_array_equal(actions, [1])


@pytest.mark.parametrize("key", ["policy", "logits"])
def test_named_output_counts(key):
    output = {"a_value": np.array([[5.0]]), key: np.array([[0.0, 9.0]])}
    actions = rlk.policies.Greedy()(FixedOutput(output), OBSERVATIONS[:1], 0)
    np.testing.assert_array_equal(actions, [1])


def test_functional_model_with_two_outputs():
    inputs = keras.Input((3,))
    logits = keras.layers.Dense(2, bias_initializer=lambda *a, **k: [0.0, 99.0])
    outputs = [logits(inputs), keras.layers.Dense(1)(inputs)]
    actions = rlk.policies.Greedy()(
        keras.Model(inputs, outputs), OBSERVATIONS, 0
    )
    np.testing.assert_array_equal(actions, [1] * 6)


def test_unnamed_outputs_raise():
    output = {"q": np.zeros((1, 2)), "value": np.zeros((1, 1))}
    with pytest.raises(
        ValueError,
        match=r"`Greedy` looks for .* one of the keys \('policy', 'logits', "
        r"'q_values'\). Received: keys=\['q', 'value'\]",
    ):
        rlk.policies.Greedy()(FixedOutput(output), OBSERVATIONS[:1], 0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_diverged_values_raise(value):
    output = np.zeros((6, 2))
    output[3:5, 1] = value
    with pytest.raises(
        ValueError,
        match=r"`Greedy` cannot choose an action: .* in 2 of 6 rows. "
        r"Received: \[ ?0. *(nan|inf)\] in row 3. Training has diverged",
    ):
        rlk.policies.Greedy()(FixedOutput(output), OBSERVATIONS, 0)


@pytest.mark.parametrize("shape", [(6,), (6, 1, 2), (5, 2)])
def test_wrong_shapes_raise(shape):
    with pytest.raises(
        ValueError,
        match=r"`Greedy` needs a model that gives one number per action, "
        r"\[N, A\] for N=6 observations. Received: output.shape=",
    ):
        rlk.policies.Greedy()(FixedOutput(np.zeros(shape)), OBSERVATIONS, 0)


def test_state_is_empty():
    policy = rlk.policies.Greedy()
    assert policy.get_state() == {}
    policy.set_state({})


CONTRACT = {rlk.policies.Greedy: {}}
