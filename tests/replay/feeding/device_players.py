import keras
import numpy as np

from keras_rlkit.replay import ReplayBuffer, Uniform

CAPACITY, BATCH, COUNT, STACK = 60, 8, 3, 3


def make(storage="memory", sampler=Uniform, n_step=1, dtype="uint8"):
    return ReplayBuffer(
        CAPACITY,
        (2, 3, STACK),
        dtype,
        num_envs=2,
        frame_stack=STACK,
        n_step=n_step,
        storage=storage,
        sampler=sampler(),
        seed=0,
    )


class Player:
    """Adds the same episodes to several buffers; stacks begin with zeros."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.stack = np.zeros((2, 2, 3, STACK), "uint8")

    def play(self, buffers, steps):
        for _ in range(steps):
            frame = self.random.integers(1, 255, size=(2, 2, 3, 1))
            then = np.concatenate([self.stack[..., 1:], frame], -1)
            then = then.astype("uint8")
            action = self.random.integers(4, size=2)
            reward = self.random.normal(size=2)
            end = self.random.random(2) < 0.1
            for buffer in buffers:
                buffer.add(
                    self.stack, action, reward, end, np.zeros(2, bool), then
                )
            then[end] = 0
            self.stack = then


def check(buffer, twin, layout):
    batches = buffer.feed.draw(BATCH, layout=layout)
    for batch in batches:
        keras.tree.map_structure(
            np.testing.assert_array_equal,
            keras.tree.map_structure(np.asarray, batch),
            twin.feed.draw(BATCH),
        )
