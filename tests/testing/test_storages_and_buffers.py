"""Storages that lose frames and buffers that lose steps are refused."""

import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.replay import Memory, ReplayBuffer


class Medium:
    """Hands calls on, so that one of them can be broken."""

    def __init__(self, medium):
        self.medium = medium

    def __getattr__(self, name):
        return getattr(self.medium, name)


class Forgets(Medium):
    def write(self, number, frames):
        self.medium.write(number, frames[:1])


class Rounds(Medium):
    def read(self, slots):
        return self.medium.read(slots) // 2 * 2


class SavesNothing(Medium):
    def arrays(self):
        return {}


@pytest.mark.parametrize(
    "medium, message",
    [
        (Forgets, "'frames': frames 0 to 1 must be read as they were"),
        (Rounds, "'frames': frames 0 to 1 must be read as they were"),
        (SavesNothing, "'resume': frames"),
    ],
)
def test_a_storage_that_loses_frames(medium, message):
    class Broken(Memory):
        __doc__ = Memory.__doc__

        def make(self, *arguments):
            return medium(super().make(*arguments))

    with pytest.raises(AssertionError, match=message):
        rlk.testing.check_storage(Broken)


def arguments():
    return {
        "capacity": 50,
        "observation_shape": (2,),
        "observation_dtype": "float32",
        "num_envs": 2,
        "frame_stack": 2,
        "n_step": 2,
        "discount": 0.9,
        "sampler": rlk.replay.Uniform(),
        "seed": 1,
        "num_actions": 3,
        "storage": "disk",
        "action_masks": True,
    }


class Unseeded(ReplayBuffer):
    def __init__(self, *positional, **named):
        super().__init__(*positional, **{**named, "seed": 0})


class Careless(ReplayBuffer):
    def add(self, observation, action, reward, *others, **named):
        super().add(
            observation, action, np.nan_to_num(reward), *others, **named
        )


class Stateless(ReplayBuffer):
    def set_state(self, state):
        pass


@pytest.mark.parametrize(
    "buffer, message",
    [
        (Unseeded, "'seed': other seeds must draw other data"),
        (Careless, "'steps': NaN rewards must raise"),
        (Stateless, "'resume': a part that was given a state"),
    ],
)
def test_a_buffer_that_loses_something(buffer, message):
    with pytest.raises(AssertionError, match=message):
        rlk.testing.check_buffer(
            buffer,
            arguments,
            lambda replay: replay.sample(8),
            excluded=("sequence_length", "burn_in", "state_shape"),
        )
