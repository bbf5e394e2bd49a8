"""Replay buffers of nests, behind the interface of one of arrays.

Every array of a nest is worked out from the whole observation, which is one of
them: what comes back must be the same function of the whole that comes back.
"""

import math

import keras
import numpy as np

from keras_rlkit.replay import ReplayBuffer


def _numbers(whole):
    flat = whole.reshape(len(whole), math.prod(whole.shape[1:]))
    return flat.astype("float64") @ (1 + np.arange(flat.shape[1]))


def _vector(whole):
    return (_numbers(whole)[:, None] % [7, 11, 13]).astype("float32")


def _integer(whole):
    return (_numbers(whole) % 1_000).astype("int64")


def _flags(whole):
    return (_numbers(whole)[:, None] % [2, 3, 5, 7, 8]) < 1


def _newest(whole):
    return whole[..., -1:]


def _pair(whole):
    return whole[..., -2:]


# What each array is, and the length of its stack on a stack of k frames.
LEAVES = {
    "whole": (lambda whole: whole, lambda k: k),
    "vector": (_vector, lambda k: None),
    "integer": (_integer, lambda k: None),
    "flags": (_flags, lambda k: None),
    "newest": (_newest, lambda k: 1),
    "pair": (_pair, lambda k: 2),
}


def make_nested(structure):
    """Return a class of buffers whose observations have a structure.

    Args:
        structure: Nest of names of `LEAVES`, `"whole"` among them. `"newest"`
            and `"pair"` are for stacks of at least so many frames.
    """

    def to_nest(whole):
        return keras.tree.map_structure(
            lambda name: LEAVES[name][0](whole), structure
        )

    class Nested:
        def __init__(
            self,
            capacity,
            observation_shape,
            observation_dtype,
            frame_stack=None,
            **arguments,
        ):
            example = to_nest(np.zeros((1, *observation_shape)))
            dtypes = {"vector": "float32", "integer": "int64", "flags": "bool"}
            self.buffer = ReplayBuffer(
                capacity,
                shape_of(example),
                keras.tree.map_structure(
                    lambda name: dtypes.get(name, observation_dtype), structure
                ),
                frame_stack=frame_stack
                and keras.tree.map_structure(
                    lambda name: LEAVES[name][1](frame_stack), structure
                ),
                **arguments,
            )

        def __len__(self):
            return len(self.buffer)

        def __getattr__(self, name):
            return getattr(self.buffer, name)

        def add(self, observation, next_observation, **rest):
            self.buffer.add(
                observation=to_nest(observation),
                next_observation=to_nest(next_observation),
                **rest,
            )

        def transitions(self):
            return self.flat(self.buffer.transitions())

        def sample(self, batch_size):
            return self.flat(self.buffer.sample(batch_size))

        def flat(self, batch):
            observation, rest, *weight = batch
            rest["next_observation"] = self.whole(rest["next_observation"])
            return self.whole(observation), rest, *weight

        def whole(self, nest):
            keras.tree.assert_same_structure(nest, structure)
            leaves = dict(
                zip(
                    keras.tree.flatten(structure),
                    keras.tree.flatten(nest),
                    strict=True,
                )
            )
            whole = leaves["whole"]
            for name, leaf in leaves.items():
                expected = LEAVES[name][0](whole)
                assert leaf.dtype == expected.dtype, name
                np.testing.assert_array_equal(leaf, expected, err_msg=name)
            return whole

        @classmethod
        def load(cls, path):
            made = cls.__new__(cls)
            made.buffer = ReplayBuffer.load(path)
            return made

    return Nested


def shape_of(nest):
    """Return the nest of the shapes of arrays, without their first axis."""
    if isinstance(nest, dict):
        return {key: shape_of(part) for key, part in nest.items()}
    if isinstance(nest, tuple):
        return tuple(shape_of(part) for part in nest)
    return nest.shape[1:]
