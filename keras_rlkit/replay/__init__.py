"""Memories: what an agent lived through, as batches for `fit`."""

from keras_rlkit.replay.batches import Batches
from keras_rlkit.replay.episode_buffer import EpisodeBuffer
from keras_rlkit.replay.epoch_batches import EpochBatches
from keras_rlkit.replay.replay_buffer import ReplayBuffer
from keras_rlkit.replay.uniform import Uniform

__all__ = [
    "Batches",
    "EpisodeBuffer",
    "EpochBatches",
    "ReplayBuffer",
    "Uniform",
]
