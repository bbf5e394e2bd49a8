"""Atari, and one interface to every gymnasium environment."""

from keras_rlkit.environments.as_vector import as_vector
from keras_rlkit.environments.atari import atari
from keras_rlkit.environments.atari_environment import AtariEnvironment
from keras_rlkit.environments.check import check
from keras_rlkit.environments.film import filmed_copy
from keras_rlkit.environments.finding import Finding
from keras_rlkit.environments.vector_adapter import Step, VectorAdapter

__all__ = [
    "AtariEnvironment",
    "Finding",
    "Step",
    "VectorAdapter",
    "as_vector",
    "atari",
    "check",
    "filmed_copy",
]
