"""Policies: from a model and observations to actions."""

from keras_rlkit.policies.bernoulli import Bernoulli
from keras_rlkit.policies.categorical import Categorical
from keras_rlkit.policies.epsilon_greedy import EpsilonGreedy
from keras_rlkit.policies.gaussian import Gaussian
from keras_rlkit.policies.greedy import Greedy
from keras_rlkit.policies.independent import Independent

__all__ = [
    "Bernoulli",
    "Categorical",
    "EpsilonGreedy",
    "Gaussian",
    "Greedy",
    "Independent",
]
