"""Models that own a training step."""

from keras_rlkit.models.actor_critic import ActorCritic
from keras_rlkit.models.categorical_dqn import CategoricalDQN
from keras_rlkit.models.double_dqn import DoubleDQN
from keras_rlkit.models.pqn import PQN
from keras_rlkit.models.quantile_dqn import QuantileDQN

__all__ = ["PQN", "ActorCritic", "CategoricalDQN", "DoubleDQN", "QuantileDQN"]
