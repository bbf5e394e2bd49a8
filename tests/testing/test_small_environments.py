"""The small environments give the numbers that they promise."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import keras_rlkit as rlk
from keras_rlkit.testing import (
    ChainEnvironment,
    CounterEnvironment,
    TargetEnvironment,
)

ALL = [ChainEnvironment, CounterEnvironment, TargetEnvironment]


@pytest.mark.parametrize("kind", ALL)
def test_they_are_gymnasiums(kind):
    environment = kind()
    assert isinstance(environment, kind)
    assert isinstance(environment, gymnasium.Env)
    if kind is not CounterEnvironment:
        # That one's episodes are never the same again, as is its purpose.
        check_env(environment, skip_render_check=True)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_copies_play_on(kind, copied):
    environment = kind()
    environment.reset(seed=0)
    action = environment.action_space.sample()
    environment.step(action)
    again = copied(environment)
    assert type(again) is type(environment)
    for _ in range(3):
        one, other = environment.step(action), again.step(action)
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1:] == other[1:]


def test_episodes_of_the_counter_by_hand():
    environment = CounterEnvironment((2, 1), reward=0.5, truncates=True)
    shown, ends = [environment.reset()[0].tolist()], []
    for _ in range(4):
        observation, reward, terminated, truncated, _ = environment.step(0)
        shown.append(observation.tolist())
        ends.append((terminated, truncated))
        assert reward == 0.5
        if terminated or truncated:
            shown.append(environment.reset()[0].tolist())
    # Episodes of 2, 1, then 2 steps again.
    expected = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [2, 0], [2, 1]]
    assert shown == expected
    assert ends == [(False, False), (True, False), (False, True), (False,) * 2]


def test_optimal_values_of_the_chain_solve_the_bellman_equation():
    environment, discount = ChainEnvironment(4), 0.9
    q_values = environment.optimal_q_values(discount)
    for state in range(4):
        for action in range(2):
            environment.reset()
            for _ in range(state):
                environment.step(1)
            observation, reward, terminated, _, _ = environment.step(action)
            future = 0 if terminated else q_values[observation.argmax()].max()
            assert q_values[state, action] == pytest.approx(
                reward + discount * future
            )
    # Three steps from the end: 0.9 ** 2.
    assert q_values[1, 1] == pytest.approx(0.81)


def test_the_best_and_the_lazy_policy_of_the_target():
    environment = TargetEnvironment(length=1_000)
    for factor, expected in ((1.0, 0.0), (0.0, -1 / 3)):
        observation, _ = environment.reset(seed=0)
        rewards, truncated = [], False
        while not truncated:
            step = environment.step(factor * observation)
            observation, reward, _, truncated, _ = step
            rewards.append(reward)
        assert len(rewards) == 1_000
        # The standard error of the mean is 0.0094.
        assert np.mean(rewards) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    "make",
    [
        lambda: CounterEnvironment(lengths=(0,)),
        lambda: CounterEnvironment(num_actions=0),
        lambda: ChainEnvironment(length=0),
        lambda: TargetEnvironment(length=1.5),
    ],
)
def test_bad_arguments(make):
    with pytest.raises(
        ValueError, match="must be a positive integer. Received"
    ):
        make()


def test_they_run_in_a_vector():
    environment = gymnasium.vector.SyncVectorEnv([ChainEnvironment] * 2)
    adapter = rlk.environments.as_vector(environment)
    assert adapter.reset().shape == (2, 5)
