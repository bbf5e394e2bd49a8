"""Environments of nests and masks that look at what is done in them."""

import gymnasium
import keras
import numpy as np
from gymnasium import spaces


class Maze(gymnasium.Env):
    """Random observations in a nest; fails on an action that is forbidden.

    Args:
        mask_in: Where the mask is: "info", "observation" or `None`.
        action_space: Space of actions. Masks are for three discrete ones.
    """

    def __init__(self, mask_in="info", action_space=None, lengths=(7, 4, 9)):
        self.mask_in, self.lengths, self.episode = mask_in, lengths, -1
        parts = {
            "image": spaces.Box(0, 255, (5, 5, 2), "uint8"),
            "rest": spaces.Tuple([spaces.Discrete(4), spaces.Box(-1, 1, (3,))]),
        }
        if mask_in == "observation":
            parts["action_mask"] = spaces.MultiBinary(3)
        self.observation_space = spaces.Dict(parts)
        self.action_space = action_space or spaces.Discrete(3)
        self.mask = np.ones(3, "int8")

    def show(self):
        self.mask = (self.np_random.random(3) < 0.6).astype("int8")
        self.mask[self.np_random.integers(3)] = 1
        observation = {
            "image": self.np_random.integers(
                255, size=(5, 5, 2), dtype="uint8"
            ),
            "rest": (
                int(self.np_random.integers(4)),
                # It tells the mask, to be compared with what is stored.
                self.mask.astype("float32"),
            ),
        }
        info = {}
        if self.mask_in == "info":
            info["action_mask"] = self.mask
        elif self.mask_in == "observation":
            observation["action_mask"] = self.mask
        return observation, info

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.steps = self.episode + 1, 0
        return self.show()

    def step(self, action):
        if self.mask_in and self.steps >= 0:
            assert self.mask[action], "a forbidden action was played"
        assert self.action_space.contains(action), action
        self.steps += 1
        over = self.steps >= self.lengths[self.episode % len(self.lengths)]
        observation, info = self.show()
        terminated = over and self.episode % 2 == 0
        return observation, 1.0, terminated, over and not terminated, info


def make_inputs():
    """Return the inputs of a network for `Maze`, and the features."""
    image = keras.Input((5, 5, 2), dtype="uint8", name="image")
    number = keras.Input((), dtype="int32", name="number")
    vector = keras.Input((3,), name="vector")
    features = keras.layers.Concatenate()(
        [
            keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image)),
            keras.layers.Embedding(4, 2)(number),
            vector,
        ]
    )
    return {"image": image, "rest": (number, vector)}, features


def make_network(units=3):
    """Return a network for `Maze` with one output."""
    inputs, features = make_inputs()
    return keras.Model(inputs, keras.layers.Dense(units)(features))
