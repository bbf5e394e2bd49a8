"""Policies, pickled or copied while they play, play on as the original.

Those that the contract's arguments don't reach: a schedule, drawn actions.
"""

import copy
import pickle

import gymnasium
import keras
import numpy as np
import pytest

import keras_rlkit as rlk


def policies():
    schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 100, 0.1)
    space = gymnasium.spaces.Box(-1.0, 1.0, (2,))
    return {
        "schedule": rlk.policies.EpsilonGreedy(schedule, seed=3),
        "gaussian": rlk.policies.Gaussian(action_space=space, seed=3),
    }


@pytest.mark.parametrize(
    "copied",
    [lambda policy: pickle.loads(pickle.dumps(policy)), copy.deepcopy],
)
@pytest.mark.parametrize("name", policies())
def test_a_copy_plays_on(name, copied):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    observations = np.random.default_rng(0).normal(size=(50, 3))
    policy = policies()[name]
    policy(model, observations, 0)
    again = copied(policy)
    assert getattr(again, "epsilon", 0) == getattr(policy, "epsilon", 0)
    for step in (40, 80):
        np.testing.assert_array_equal(
            again(model, observations, step), policy(model, observations, step)
        )
