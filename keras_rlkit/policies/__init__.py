"""Policies: from a model and observations to actions."""

from keras_rlkit.policies.categorical import Categorical
from keras_rlkit.policies.epsilon_greedy import EpsilonGreedy
from keras_rlkit.policies.gaussian import Gaussian
from keras_rlkit.policies.greedy import Greedy

__all__ = [
    "Categorical",
    "EpsilonGreedy",
    "Gaussian",
    "Greedy",
]
