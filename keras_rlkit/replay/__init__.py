"""Memories: what an agent lived through, as batches for `fit`."""

from keras_rlkit.replay.batches import Batches
from keras_rlkit.replay.episode_buffer import EpisodeBuffer
from keras_rlkit.replay.epoch_batches import EpochBatches
from keras_rlkit.replay.minari_datasets import load_minari, save_minari
from keras_rlkit.replay.prioritized import Prioritized
from keras_rlkit.replay.replay_buffer import ReplayBuffer
from keras_rlkit.replay.storage import Compressed, Disk, Memory
from keras_rlkit.replay.uniform import Uniform

__all__ = [
    "Batches",
    "Compressed",
    "Disk",
    "EpisodeBuffer",
    "EpochBatches",
    "Memory",
    "Prioritized",
    "ReplayBuffer",
    "Uniform",
    "load_minari",
    "save_minari",
]
