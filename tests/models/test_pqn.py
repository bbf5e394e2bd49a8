"""Q-learning on lambda returns, by hand, and through `fit`."""

import gymnasium
import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from tests.callbacks.test_recurrent import MODES, Cue, make_environment
from tests.callbacks.test_structured import data_of

# Q values of states 0 to 4; the largest are 3, 5, 2, 7 and 11.
TABLE = np.array([[1, 3], [5, 4], [2, 0], [6, 7], [11, 10]], "float32")
LARGEST = TABLE.max(axis=1)


def table_agent(rate=0.0):
    network = keras.Sequential(
        [keras.Input((), dtype="int32"), keras.layers.Embedding(5, 2)]
    )
    network.set_weights([TABLE])
    agent = rlk.models.PQN(network)
    agent.compile(keras.optimizers.SGD(rate), loss="mse")
    return agent


def rollout(ends, lambda_=0.5, agent=None):
    """Three steps from state 0 to 3, with what ends each of them."""
    buffer = rlk.replay.EpisodeBuffer(
        discount=0.5,
        lambda_=lambda_,
        observation_shape=(),
        observation_dtype="int32",
        num_actions=2,
    )
    for number, end in enumerate(ends):
        buffer.add(
            np.array([number], "int32"),
            np.array([1]),
            np.array([10.0**number]),
            np.array([end == "terminated"]),
            np.array([end == "truncated"]),
            np.array([number + 1], "int32"),
        )
    buffer.finish((agent or table_agent()).evaluate_actions)
    return buffer


@pytest.mark.parametrize(
    "ends, expected",
    [
        # From behind: 100 + 0.5 * 7; then r + 0.5 * (V + return) / 2.
        (
            [None, None, None],
            [
                1 + 0.25 * (5 + (10 + 0.25 * (2 + 103.5))),
                10 + 0.25 * (2 + 103.5),
                103.5,
            ],
        ),
        ([None, None, "terminated"], [6.75 + 0.0625 * 98, 35.5, 100.0]),
        # A time limit is bootstrapped, and nothing of the next episode seen.
        (
            [None, "truncated", None],
            [1 + 0.25 * (5 + 11), 10 + 0.5 * 2, 103.5],
        ),
        ([None, "terminated", None], [1 + 0.25 * (5 + 10), 10.0, 103.5]),
    ],
)
def test_lambda_returns_by_hand(ends, expected):
    if ends == [None, None, "terminated"]:
        second = 10 + 0.25 * (2 + 100)
        expected = [1 + 0.25 * (5 + second), second, 100.0]
    _, targets, _ = rollout(ends).samples()
    np.testing.assert_allclose(targets["value_target"], expected, rtol=1e-6)
    np.testing.assert_array_equal(targets["value"], LARGEST[:3])


@pytest.mark.parametrize("lambda_", [0.0, 1.0])
def test_the_ends_of_lambda(lambda_):
    _, targets, _ = rollout([None] * 3, lambda_).samples()
    one_step = [1 + 0.5 * 5, 10 + 0.5 * 2, 100 + 0.5 * 7]
    whole = [1 + 5 + 25 + 7 / 8, 10 + 50 + 7 / 4, 103.5]
    np.testing.assert_allclose(
        targets["value_target"], whole if lambda_ else one_step
    )


def test_one_gradient_step():
    agent = table_agent(rate=0.5)
    observation, targets, weight = rollout(["terminated"] * 3).samples()
    logs = agent.train_on_batch(observation, targets, weight, return_dict=True)
    # All three returns are the rewards; action 1 was taken.
    errors = np.array([1, 10, 100]) - TABLE[:3, 1]
    assert logs["loss"] == pytest.approx(np.square(errors).mean())
    assert logs["td_error"] == pytest.approx(np.abs(errors).mean())
    assert logs["q_value"] == pytest.approx(LARGEST[:3].mean())
    expected = TABLE.copy()
    expected[:3, 1] += 0.5 * 2 * errors / 3
    np.testing.assert_allclose(
        agent.q_network.get_weights()[0], expected, rtol=1e-6
    )


def test_masks():
    agent = table_agent()
    states = np.arange(3, dtype="int32")
    mask = np.array([[True, False], [False, True], [False, False]])
    values, nothing = agent.evaluate_actions(states, None, mask)
    # Where nothing is allowed, nothing follows: any number will do.
    assert values.tolist() == [1, 4, 2]
    assert nothing is None
    logs = agent.train_on_batch(
        states[:2],
        {
            "action": np.array([0, 1]),
            "value_target": np.zeros(2, "float32"),
            "action_mask": mask[:2],
        },
        return_dict=True,
    )
    assert logs["q_value"] == pytest.approx((1 + 4) / 2)


def cue_network(remembers):
    return keras.Sequential(
        [
            keras.Input((None, 1) if remembers else (1,)),
            keras.layers.LSTM(8, return_sequences=True)
            if remembers
            else keras.layers.Dense(8, activation="relu"),
            keras.layers.LayerNormalization(),
            keras.layers.Dense(2),
        ]
    )


def learn(environment, remembers, epochs, callbacks=(), **arguments):
    keras.utils.set_random_seed(0)
    agent = rlk.models.PQN(cue_network(remembers))
    agent.compile(keras.optimizers.Adam(1e-2), loss="mse")
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, discount=0.9, lambda_=0.65, seed=0, **arguments
    )
    collect = rlk.callbacks.CollectRollout(
        environment,
        buffer,
        rlk.policies.EpsilonGreedy(0.3, seed=0),
        steps_per_epoch=48,
        seed=0,
    )
    history = agent.fit(
        data_of(buffer, 4, 2),
        epochs=epochs,
        verbose=0,
        callbacks=[collect, *callbacks],
    )
    return agent, history.history


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("remembers", [False, True])
def test_it_learns_through_fit(mode, remembers):
    sequences = {}
    if remembers:
        sequences = {"sequence_length": 4, "state_shape": ((8,), (8,))}
    environment = make_environment(mode)
    agent, history = learn(environment, remembers, 60, **sequences)
    assert np.isfinite(history["loss"]).all()
    evaluation = rlk.callbacks.EvaluatePolicy(
        Cue((4,)), rlk.policies.Greedy(), episodes=20, seed=1
    )
    scores = evaluation.evaluate(agent)
    # Without memory only the first of four steps is better than a guess.
    assert (scores.mean() > 3.4) == remembers


def test_it_is_resumed(tmp_path):
    def run(epochs):
        resume = rlk.callbacks.ResumeTraining(tmp_path / "save")
        environment = make_environment("SameStep")
        return learn(environment, False, epochs, [resume])[0]

    whole, _ = learn(make_environment("SameStep"), False, 4)
    run(2)
    for one, other in zip(
        whole.get_weights(), run(4).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_what_does_not_fit():
    environment = gymnasium.make("CartPole-v1")
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    agent = rlk.models.PQN(network)
    agent.compile("sgd", loss="mse")
    buffer = rlk.replay.EpisodeBuffer.for_environment(environment, 0.9)
    collect = rlk.callbacks.CollectRollout(
        environment, buffer, rlk.policies.Categorical(), 8
    )
    # Keras on JAX may look at a batch before callbacks look at the model.
    message = "`ActorCritic` or `PQN`, `Episode|with `lambda_`"
    with pytest.raises(ValueError, match=message):
        agent.fit(data_of(buffer), callbacks=[collect], verbose=0)
    with pytest.raises(ValueError, match="one output of shape"):
        rlk.models.PQN(
            keras.Sequential(
                [
                    keras.Input((2, 3)),
                    keras.layers.Dense(2, name="a"),
                    keras.layers.Reshape((1, 2, 2)),
                ]
            )
        )


def contract_arguments():
    return {
        "q_network": keras.Sequential(
            [
                keras.Input((2,)),
                keras.layers.Dense(4, "tanh"),
                keras.layers.Dense(2),
            ]
        )
    }


RANDOM = np.random.default_rng(0)
CONTRACT = {
    rlk.models.PQN: {
        "data": (
            RANDOM.normal(size=(8, 2)).astype("float32"),
            {
                "action": RANDOM.integers(2, size=8),
                "value_target": RANDOM.normal(size=8).astype("float32"),
            },
            np.linspace(0.5, 1, 8, dtype="float32"),
        ),
        "arguments": contract_arguments,
        "compile": lambda: {"loss": "huber"},
    }
}
