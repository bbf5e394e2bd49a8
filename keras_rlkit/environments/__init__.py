"""Atari, and one interface to every gymnasium environment."""

from keras_rlkit.environments.adapters.as_vector import as_vector
from keras_rlkit.environments.adapters.step import Step
from keras_rlkit.environments.adapters.vector_adapter import VectorAdapter
from keras_rlkit.environments.atari.atari_environment import AtariEnvironment
from keras_rlkit.environments.atari.make_atari import atari
from keras_rlkit.environments.check import check
from keras_rlkit.environments.film.filmed_copy import filmed_copy
from keras_rlkit.environments.stack_frames import stack_frames
from keras_rlkit.environments.traps.finding import Finding

__all__ = [
    "AtariEnvironment",
    "Finding",
    "Step",
    "VectorAdapter",
    "as_vector",
    "atari",
    "check",
    "filmed_copy",
    "stack_frames",
]
