"""Networks that forbid actions by -inf, from the first step to the last."""

import gymnasium
import keras
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import keras_rlkit as rlk
from tests.callbacks.scripted_environments import data_of, fit


class Masked(gymnasium.Env):
    """Shows a number and which of three actions are allowed in this state.

    After an episode nothing is: all of its last observation is NaN.
    """

    observation_space = spaces.Box(-1, 1, (4,), np.float32)
    action_space = spaces.Discrete(3)

    def __init__(self):
        self.forbidden = self.steps = 0

    def show(self):
        # The first two states of an episode forbid nothing.
        self.allowed = np.ones(3)
        if self.time > 1:
            self.allowed = self.np_random.permutation([0, 0, 1])
        shown = [self.np_random.uniform(-1, 1), *self.allowed]
        return np.array(shown, np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self.show(), {}

    def step(self, action):
        self.forbidden += not self.allowed[action]
        self.steps += 1
        self.time += 1
        if self.time == 6:
            return np.full(4, np.nan, np.float32), 1.0, True, False, {}
        return self.show(), 1.0, False, False, {}


def masked_network():
    inputs = keras.Input((4,))
    values = keras.layers.Dense(3)(inputs[:, :1])
    allowed = inputs[:, 1:] > 0.5
    return keras.Model(inputs, keras.ops.where(allowed, values, -np.inf))


@pytest.mark.parametrize("mode", ["single", "same_step", "next_step"])
@pytest.mark.parametrize(
    "policy",
    [
        rlk.policies.EpsilonGreedy(0.5, seed=0),
        rlk.policies.Greedy(),
        # A policy of the user's own.
        lambda model, x, step: model.predict_on_batch(x).argmax(axis=1),
    ],
)
def test_no_forbidden_action_is_played(mode, policy):
    games = [Masked() for _ in range(1 if mode == "single" else 2)]
    environment = games[0]
    if mode != "single":
        environment = SyncVectorEnv(
            [lambda game=game: game for game in games],
            autoreset_mode=AutoresetMode[mode.upper()],
        )
    buffer = rlk.replay.ReplayBuffer.for_environment(environment, 1000, seed=0)
    agent = rlk.models.DoubleDQN(masked_network())
    agent.compile("sgd", "huber")
    collect = rlk.callbacks.CollectSteps(
        environment, buffer, policy, 2, warmup_steps=60, seed=0
    )
    history = fit(agent, data_of(buffer), [collect], steps=20)
    assert sum(game.steps for game in games) >= 100
    assert sum(game.forbidden for game in games) == 0
    for name in ("loss", "td_error", "q_value"):
        assert np.isfinite(history[name]).all(), name
    assert all(np.isfinite(w).all() for w in agent.get_weights())


def test_an_evaluation_asks_nothing_about_final_observations():
    environment = SyncVectorEnv([Masked, Masked])
    evaluation = rlk.callbacks.EvaluatePolicy(
        environment, rlk.policies.Greedy(), episodes=4, seed=0
    )
    np.testing.assert_array_equal(
        evaluation.evaluate(masked_network()), [6] * 4
    )


def test_a_warm_up_without_anything_forbidden_draws_what_it_did():
    class Free(Masked):
        def show(self):
            self.allowed = np.ones(3)
            return np.array([0, 1, 1, 1], np.float32)

    environment = Free()
    buffer = rlk.replay.ReplayBuffer.for_environment(environment, 1000, seed=0)
    collect = rlk.callbacks.CollectSteps(
        environment, buffer, rlk.policies.Greedy(), 1, 40, seed=3
    )
    agent = rlk.models.DoubleDQN(masked_network())
    agent.compile("sgd", "huber")
    fit(agent, data_of(buffer), [collect], steps=1)
    generator = np.random.default_rng(3)
    np.testing.assert_array_equal(
        buffer.transitions()[1]["action"][:40],
        np.concatenate([generator.integers(3, size=1) for _ in range(40)]),
    )


def test_a_warm_up_in_a_state_without_any_action_raises():
    class Stuck(Masked):
        def show(self):
            self.allowed = np.zeros(3)
            return np.zeros(4, np.float32)

    environment = Stuck()
    buffer = rlk.replay.ReplayBuffer.for_environment(environment, 1000)
    collect = rlk.callbacks.CollectSteps(
        environment, buffer, rlk.policies.Greedy(), 1, 40
    )
    agent = rlk.models.DoubleDQN(masked_network())
    agent.compile("sgd", "huber")
    with pytest.raises(ValueError, match="No random action can be chosen: .*"):
        fit(agent, data_of(buffer), [collect], steps=1)


@pytest.mark.parametrize("mode", ["same_step", "next_step"])
def test_what_lies_behind_an_end_is_not_seen_by_actor_and_critic(mode):
    games = [Masked(), Masked()]
    environment = SyncVectorEnv(
        [lambda game=game: game for game in games],
        autoreset_mode=AutoresetMode[mode.upper()],
    )
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, discount=0.9, lambda_=0.9
    )
    value = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    agent = rlk.models.ActorCritic(masked_network(), value, clip=0.2)
    agent.compile(keras.optimizers.SGD(0.01))
    collect = rlk.callbacks.CollectRollout(
        environment,
        buffer,
        rlk.policies.Categorical(seed=0),
        steps_per_epoch=40,
        seed=0,
    )
    history = agent.fit(
        buffer.batches(minibatches=2),
        epochs=2,
        shuffle=False,
        callbacks=[collect],
        verbose=0,
    ).history
    assert sum(game.forbidden for game in games) == 0
    for name in ("loss", "policy_loss", "value_loss", "entropy", "kl"):
        assert np.isfinite(history[name]).all(), name
    assert all(np.isfinite(w).all() for w in agent.get_weights())
