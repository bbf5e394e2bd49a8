"""Running normalisation of returns and observations in on-policy learning."""

import gymnasium
import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from tests.callbacks.on_policy import Look
from tests.callbacks.scripted_environments import Spy, make_scripted

DISCOUNT = 0.5


def data_of(buffer, **arguments):
    if keras.backend.backend() == "tensorflow":
        return buffer.dataset(**arguments)
    return buffer.batches(**arguments)


def new_network(inputs, outputs, normalization=None, kernel="zeros"):
    layers = [keras.Input((inputs,))]
    if normalization is not None:
        layers.append(normalization)
    layers.append(keras.layers.Dense(outputs, kernel_initializer=kernel))
    return keras.Sequential(layers)


def collect(environment, agent, collector, *amount, epochs, **arguments):
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, DISCOUNT, lambda_=1.0
    )
    look = Look(buffer)
    callback = collector(environment, buffer, Spy(), *amount, **arguments)
    agent.compile(keras.optimizers.SGD(0.0))
    history = agent.fit(
        data_of(buffer),
        epochs=epochs,
        callbacks=[callback, look],
        verbose=0,
        shuffle=False,
    )
    return look.epochs, history.history


@pytest.mark.parametrize(
    "collector", [rlk.callbacks.CollectRollout, rlk.callbacks.CollectEpisodes]
)
def test_rewards_are_normalized_by_the_return_so_far(collector):
    # Episodes of 3 and 2 steps with reward 2: sums 2, 3, 3.5, then 2, 3.
    environment = make_scripted(lengths=(3, 2), truncates=False, reward=2.0)
    agent = rlk.models.ActorCritic(new_network(3, 2), new_network(3, 1))
    amount = [3, 2] if collector is rlk.callbacks.CollectRollout else [1, 1]
    epochs, history = collect(
        environment,
        agent,
        collector,
        amount[0],
        epochs=2,
        normalize_rewards=True,
    )
    first = np.std([2.0, 3.0, 3.5])
    np.testing.assert_allclose(
        epochs[0][1]["value_target"], np.array([3.5, 3.0, 2.0]) / first, 1e-5
    )
    # Rollouts of 3 steps have one of the third episode.
    sums = [2.0, 3.0, 3.5, 2.0, 3.0]
    returns = [3.0, 2.0]
    if collector is rlk.callbacks.CollectRollout:
        sums, returns = [*sums, 2.0], [*returns, 2.0]
    np.testing.assert_allclose(
        epochs[1][1]["value_target"], np.array(returns) / np.std(sums), 1e-5
    )
    # Scores stay true.
    assert history["episode_return"] == [6.0, 4.0]


def test_clipping_and_scaling_come_first():
    environment = make_scripted(lengths=(3,), truncates=False, reward=200.0)
    agent = rlk.models.ActorCritic(new_network(3, 2), new_network(3, 1))
    epochs, _ = collect(
        environment,
        agent,
        rlk.callbacks.CollectRollout,
        3,
        epochs=1,
        normalize_rewards=True,
        reward_scale=0.1,
        reward_range=(-2, 2),
    )
    np.testing.assert_allclose(
        epochs[0][1]["value_target"],
        np.array([3.5, 3.0, 2.0]) / np.std([2.0, 3.0, 3.5]),
        rtol=1e-5,
    )


@pytest.mark.parametrize("shared", [False, True])
def test_observations_are_normalized_from_the_next_epoch_on(shared):
    # Observations (0, episode, step).
    environment = make_scripted(lengths=(3,), truncates=False)
    layers = [rlk.layers.RunningNormalization() for _ in range(2)]
    if shared:
        layers[1] = layers[0]
    policy = new_network(3, 2, layers[0])
    kernel = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    policy.layers[-1].set_weights([kernel, np.zeros(2)])
    agent = rlk.models.ActorCritic(
        policy, new_network(3, 1, layers[1]), clip=0.2
    )
    epochs, history = collect(
        environment, agent, rlk.callbacks.CollectRollout, 6, epochs=3
    )
    # The logit of action 1, which the spy takes, is the episode's number, 0
    # and 1; then 2 and 3 by mean 0.5 and deviation 0.5; then 4 and 5 by those
    # of 0 to 3, 1.5 and sqrt(1.25).
    deviation = 1.25**0.5
    for epoch, logits in zip(
        epochs,
        [(0, 1), (3, 5), (2.5 / deviation, 3.5 / deviation)],
        strict=True,
    ):
        np.testing.assert_allclose(
            epoch[1]["log_probability"],
            np.repeat(-np.log1p(np.exp(-np.array(logits, float))), 3),
            rtol=1e-4,
        )
    # What was stored is what the model says in the first minibatch.
    np.testing.assert_allclose(history["kl"], np.zeros(3), atol=1e-7)
    for layer in layers:
        assert float(layer.count) == 18
        np.testing.assert_allclose(np.array(layer.mean), [0, 2.5, 1], 1e-6)


def test_a_layer_that_is_not_first_says_so():
    environment = make_scripted(lengths=(3,))
    network = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4),
            rlk.layers.RunningNormalization(),
            keras.layers.Dense(2),
        ]
    )
    agent = rlk.models.ActorCritic(network, new_network(3, 1))
    with pytest.raises(ValueError, match=r"must come first .*\(3,\).*\(4,\)"):
        collect(environment, agent, rlk.callbacks.CollectRollout, 3, epochs=1)


def train(folder, epochs):
    keras.utils.set_random_seed(3)
    environment = gymnasium.make_vec("CartPole-v1", 2, "sync")
    layer = rlk.layers.RunningNormalization()
    agent = rlk.models.ActorCritic(
        new_network(4, 2, layer, "ones"), new_network(4, 1, layer), clip=0.2
    )
    agent.compile(keras.optimizers.Adam(0.01))
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, 0.9, lambda_=0.9, seed=0
    )
    history = agent.fit(
        data_of(buffer, minibatches=2),
        epochs=epochs,
        callbacks=[
            rlk.callbacks.ResumeTraining(folder),
            rlk.callbacks.CollectRollout(
                environment,
                buffer,
                rlk.policies.Categorical(seed=1),
                steps_per_epoch=30,
                seed=2,
                normalize_rewards=True,
            ),
        ],
        verbose=0,
        shuffle=False,
    )
    return agent.get_weights(), history.history


def test_resumed_bit_for_bit(tmp_path):
    weights, history = train(tmp_path / "whole", 4)
    train(tmp_path / "parts", 2)
    resumed, resumed_history = train(tmp_path / "parts", 4)
    for one, two in zip(weights, resumed, strict=True):
        np.testing.assert_array_equal(two, one)
    np.testing.assert_equal(resumed_history, history)


def test_a_save_without_normalization_is_refused():
    environment = make_scripted(lengths=(3,))
    buffer = rlk.replay.EpisodeBuffer.for_environment(environment, DISCOUNT)
    with_it, without = (
        rlk.callbacks.CollectRollout(
            environment, buffer, Spy(), 3, normalize_rewards=normalize
        )
        for normalize in (True, False)
    )
    with pytest.raises(ValueError, match="`normalize_rewards` must be what"):
        with_it.set_state(without.get_state())
