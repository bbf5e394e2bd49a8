"""Models that own a training step."""

from keras_rlkit.models.actor_critic import ActorCritic
from keras_rlkit.models.double_dqn import DoubleDQN

__all__ = ["ActorCritic", "DoubleDQN"]
