"""The way of the Space Invaders tutorial, measured on command.

Eager throughout, one sample at a time: the network is called eagerly on one
observation, frames lie in memory as float32 and are gathered for one sample
after the other, targets are worked out in NumPy from three eager calls, and the
gradient step is `train_on_batch`. After "Atari Space Invaders and Dueling Q RL
in TensorFlow 2" of Adventures in Machine Learning, written anew. Works: `run N`
plays N environment steps, with a gradient step after each.
"""

import ale_py
import gymnasium
import keras
import networks
import numpy as np
import tensorflow as tf
from answering import serve

IMAGE, STACK, BATCH, CAPACITY = (105, 80), 4, 32, 20_000
DISCOUNT, TAU, EPSILON, WARM = 0.99, 0.08, 0.1, 1_000


class Memory:
    """The last steps: a frame, an action, a reward, an end each."""

    def __init__(self):
        self.frames = np.zeros((CAPACITY, *IMAGE), np.float32)
        self.actions = np.zeros(CAPACITY, np.int32)
        self.rewards = np.zeros(CAPACITY, np.float32)
        self.ends = np.zeros(CAPACITY, bool)
        self.count = 0

    def add(self, frame, action, reward, end) -> None:
        place = self.count % CAPACITY
        self.frames[place] = frame
        self.actions[place] = action
        self.rewards[place] = reward
        self.ends[place] = end
        self.count += 1

    def sample(self, random) -> tuple:
        states = np.zeros((BATCH, *IMAGE, STACK), np.float32)
        next_states = np.zeros_like(states)
        newest = min(self.count, CAPACITY)
        places = random.integers(STACK + 1, newest, size=BATCH)
        for row, place in enumerate(places):
            window = self.frames[place - STACK : place + 1]
            states[row] = np.transpose(window[:-1], (1, 2, 0))
            next_states[row] = np.transpose(window[1:], (1, 2, 0))
        return (
            states,
            self.actions[places],
            self.rewards[places],
            next_states,
            self.ends[places],
        )


class Loop:
    """The agent of the tutorial."""

    def __init__(self):
        gymnasium.register_envs(ale_py)
        self.random = np.random.default_rng(0)
        self.environment = gymnasium.make(
            "ALE/SpaceInvaders-v5", frameskip=1, repeat_action_probability=0.0
        )
        self.num_actions = int(self.environment.action_space.n)
        self.online, self.target = (
            networks.dueling(IMAGE, pixels=False) for _ in range(2)
        )
        self.online.compile(keras.optimizers.Adam(), keras.losses.Huber())
        self.memory = Memory()
        self.begin()
        for _ in range(WARM):
            self.play(1.0)
        self.run(16)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.play(EPSILON)
            self.train()

    def begin(self) -> None:
        frame = self.process(self.environment.reset()[0])
        self.state = tf.stack([frame] * STACK, axis=-1)

    def process(self, image) -> tf.Tensor:
        grey = tf.image.rgb_to_grayscale(image)
        return tf.image.resize(grey, IMAGE)[..., 0] / 255

    def play(self, epsilon: float) -> None:
        if self.random.random() < epsilon:
            action = int(self.random.integers(self.num_actions))
        else:
            values = self.online(self.state[tf.newaxis])
            action = int(np.argmax(values.numpy()))
        image, reward, end, cut, _ = self.environment.step(action)
        frame = self.process(image)
        parts = [self.state[..., 1:], frame[..., tf.newaxis]]
        self.state = tf.concat(parts, axis=-1)
        self.memory.add(frame, action, reward, end or cut)
        if end or cut:
            self.begin()

    def train(self) -> None:
        batch = self.memory.sample(self.random)
        states, actions, rewards, next_states, ends = batch
        targets = self.online(states).numpy()
        best = np.argmax(self.online(next_states).numpy(), axis=1)
        rows, going = np.arange(BATCH), ~ends
        following = self.target(next_states).numpy()[rows, best]
        updates = rewards.copy()
        updates[going] += DISCOUNT * following[going]
        targets[rows, actions] = updates
        self.online.train_on_batch(states, targets)
        pairs = zip(
            self.target.trainable_variables,
            self.online.trainable_variables,
            strict=True,
        )
        for slow, fast in pairs:
            slow.assign(slow * (1 - TAU) + fast * TAU)


def make(settings: dict) -> dict:
    """Return the works of the loop."""
    return {"run": Loop().run}


if __name__ == "__main__":
    serve(make, ("keras", "tensorflow", "numpy", "ale-py", "gymnasium"))
