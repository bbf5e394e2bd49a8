"""Memories: what an agent lived through, as batches for `fit`."""

from keras_rlkit.replay.episode_buffer import EpisodeBuffer
from keras_rlkit.replay.feeding.py_dataset import Batches, EpochBatches
from keras_rlkit.replay.minari_datasets import load_minari, save_minari
from keras_rlkit.replay.replay_buffer import ReplayBuffer
from keras_rlkit.replay.sampling.prioritized import Prioritized
from keras_rlkit.replay.sampling.uniform import Uniform
from keras_rlkit.replay.storage.storage_settings import Compressed, Disk, Memory

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
