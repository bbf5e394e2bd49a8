import gymnasium
import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from tests.callbacks.on_policy import Look, contract_parts, data_of
from tests.callbacks.scripted_environments import Spy, make_scripted


def new_agent(inputs=3, outputs=2, **arguments):
    def network(units):
        layer = keras.layers.Dense(units, kernel_initializer="zeros")
        return keras.Sequential([keras.Input((inputs,)), layer])

    agent = rlk.models.ActorCritic(network(outputs), network(1), **arguments)
    agent.compile(keras.optimizers.SGD(0.0))
    return agent


def collect(environment, epochs, steps, policy=None, agent=None, **arguments):
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, 0.5, lambda_=1.0
    )
    look = Look(buffer)
    callback = rlk.callbacks.CollectRollout(
        environment, buffer, policy or Spy(), steps, **arguments
    )
    history = (agent or new_agent()).fit(
        data_of(buffer),
        epochs=epochs,
        callbacks=[callback, look],
        verbose=0,
        shuffle=False,
    )
    return look.epochs, history.history, callback


def steps_of(sample, environment):
    rows = [row for row in sample[0] if row[0] == environment]
    return [(int(row[1]), int(row[2])) for row in rows]


@pytest.mark.parametrize("mode", ["same_step", "next_step"])
def test_episodes_go_on_from_epoch_to_epoch(mode):
    environment = make_scripted(2, mode, [(3,), (4,)])
    epochs, history, callback = collect(environment, epochs=4, steps=8)
    played = {0: [], 1: []}
    for epoch in epochs:
        # Fake rows don't count; the last step may bring one more.
        assert len(epoch[0]) in (8, 9)
        for number in (0, 1):
            played[number] += steps_of(epoch, number)
    for number, length in ((0, 3), (1, 4)):
        expected = [(n // length, n % length) for n in range(40)]
        assert played[number] == expected[: len(played[number])]
    assert callback.environment_steps == sum(len(e[0]) for e in epochs)
    assert history["environment_steps"][-1] == callback.environment_steps
    assert set(history["episode_length"]) <= {3.0, 3.5, 4.0, 11 / 3, 10 / 3}


def test_cut_episodes_count_on_with_the_value():
    environment = make_scripted(lengths=(4, 4))
    agent = new_agent()
    agent.value_network.set_weights([np.zeros((3, 1)), np.ones(1)])
    epochs, _, _ = collect(environment, epochs=3, steps=3, agent=agent)
    # Reward 1 and value 1 of every state. Episode 0 terminates at its fourth
    # step, episode 1 is truncated.
    np.testing.assert_allclose(epochs[0][1]["value_target"], [1.875, 1.75, 1.5])
    np.testing.assert_allclose(epochs[1][1]["value_target"], [1, 1.75, 1.5])
    np.testing.assert_allclose(epochs[2][1]["value_target"], [1.75, 1.5, 1.5])


def test_log_probabilities_are_those_of_the_policy_that_acted():
    environment = make_scripted(lengths=(4,))
    agent = new_agent(clip=0.2)
    agent.policy_network.set_weights([np.zeros((3, 2)), np.log([0.25, 0.75])])
    epochs, _, _ = collect(environment, epochs=1, steps=5, agent=agent)
    # The spy always takes action 1.
    np.testing.assert_allclose(
        epochs[0][1]["log_probability"], np.full(5, np.log(0.75)), rtol=1e-5
    )


class Box(gymnasium.Env):
    """Takes any action within its bounds, and nothing else."""

    observation_space = gymnasium.spaces.Box(0, 1, (3,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def __init__(self):
        self.actions = []

    def reset(self, *, seed=None, options=None):
        return np.zeros(3, np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action)
        self.actions.append(action)
        return np.zeros(3, np.float32), 1.0, False, False, {}


def test_continuous_actions_are_stored_as_drawn_and_played_clipped():
    environment = Box()
    agent = new_agent(outputs=4, distribution="gaussian", clip=0.2)
    agent.policy_network.set_weights([np.zeros((3, 4)), np.ones(4)])
    epochs, _, _ = collect(
        environment,
        epochs=1,
        steps=50,
        policy=rlk.policies.Gaussian(seed=0),
        agent=agent,
    )
    stored = epochs[0][1]["action"]
    assert stored.shape == (50, 2) and np.abs(stored).max() > 2
    np.testing.assert_array_equal(environment.actions, np.clip(stored, -1, 1))
    expected = -0.5 * ((stored - 1) / np.e) ** 2 - 1 - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(
        epochs[0][1]["log_probability"], expected.sum(axis=1), rtol=1e-4
    )


def test_model_that_does_not_fit_raises():
    with pytest.raises(
        ValueError, match=r"a mean and a log-scale .* 4 numbers"
    ):
        collect(
            Box(),
            1,
            5,
            agent=new_agent(outputs=2, distribution="gaussian"),
            policy=rlk.policies.Gaussian(),
        )


def test_bad_steps_raise():
    with pytest.raises(
        ValueError, match="`steps_per_epoch` must be a positive"
    ):
        collect(make_scripted(), 1, 0)


CONTRACT = {
    rlk.callbacks.CollectRollout: {
        "make_parts": lambda folder: contract_parts(steps_per_epoch=9),
        "bad": {"steps_per_epoch": [0], "reward_range": [(1, 0)], "seed": [-1]},
    }
}
