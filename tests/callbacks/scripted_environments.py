"""Environments whose every number can be foretold, and small agents."""

import functools

import gymnasium
import keras
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import keras_rlkit as rlk

MODES = {
    "next_step": AutoresetMode.NEXT_STEP,
    "same_step": AutoresetMode.SAME_STEP,
}


class Scripted(gymnasium.Env):
    """Shows (number, episode, step), whatever is done in it.

    Args:
        lengths: Steps of the episodes, in a circle.
        truncates: Whether every second episode is truncated, not terminated.
        reward: Reward of every step.
        lives: Lives after each step of an episode, in a circle, or `None` to
            tell nothing of lives. An episode starts with 9.
        number: Number of the environment.
        num_actions: Number of actions.
        fails_at: Count of steps at which `step` of number 0 raises, or `None`.
        frame_size: Height and width of rendered frames.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(
        self,
        lengths=(5,),
        truncates=True,
        reward=1.0,
        lives=None,
        number=0,
        num_actions=2,
        fails_at=None,
        frame_size=(16, 24),
        render_mode=None,
    ):
        self.lengths = lengths
        self.truncates = truncates
        self.reward = reward
        self.lives = lives
        self.number = number
        self.fails_at = fails_at
        self.frame_size = frame_size
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0, np.inf, (3,), np.float32)
        self.action_space = spaces.Discrete(num_actions)
        self.episode = -1
        self.in_episode = 0
        self.steps = 0
        self.resets = 0
        self.actions = []

    def show(self):
        shown = (self.number, self.episode, self.in_episode)
        return np.array(shown, np.float32)

    def info(self):
        if self.lives is None:
            return {}
        if self.in_episode == 0:
            return {"lives": 9}
        return {"lives": self.lives[(self.in_episode - 1) % len(self.lives)]}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.resets += 1
        self.episode += 1
        self.in_episode = 0
        return self.show(), self.info()

    def step(self, action):
        self.steps += 1
        if self.steps == self.fails_at and self.number == 0:
            raise ZeroDivisionError("the engine is on fire")
        self.actions.append(int(action))
        self.in_episode += 1
        end = self.in_episode >= self.lengths[self.episode % len(self.lengths)]
        truncated = end and self.truncates and self.episode % 2 == 1
        terminated = end and not truncated
        return self.show(), self.reward, terminated, truncated, self.info()

    def render(self):
        frame = np.zeros((*self.frame_size, 3), np.uint8)
        # One more white column for each step, red for what is not yet.
        frame[..., 0] = 255
        frame[:, : self.in_episode + 1] = 255
        return frame


def make_scripted(num_envs=None, mode="same_step", lengths=None, **arguments):
    """One environment, or a vector: `lengths` holds a tuple for each."""
    if num_envs is None:
        return Scripted(lengths or (5,), **arguments)
    lengths = lengths or [(5,)] * num_envs
    makers = [
        functools.partial(Scripted, lengths[i], number=i, **arguments)
        for i in range(num_envs)
    ]
    return SyncVectorEnv(makers, autoreset_mode=MODES[mode])


def make_by_name(**arguments):
    """A scripted environment with a `spec`, as `gymnasium.make` gives it."""
    spec = EnvSpec("Scripted-v0", entry_point=Scripted)
    return gymnasium.make(spec, disable_env_checker=True, **arguments)


def make_agent(
    inputs=3, actions=2, steps_per_execution=1, learning_rate=0.01, values=None
):
    """A compiled linear agent; `values` are its Q values until it learns."""
    network = keras.Sequential(
        [keras.Input((inputs,)), keras.layers.Dense(actions)]
    )
    if values is not None:
        network.set_weights([np.zeros((inputs, actions)), np.array(values)])
    agent = rlk.models.DoubleDQN(network)
    agent.compile(
        optimizer=keras.optimizers.SGD(learning_rate),
        loss="huber",
        steps_per_execution=steps_per_execution,
    )
    return agent


def make_buffer(environment, capacity=1_000, **arguments):
    return rlk.replay.ReplayBuffer.for_environment(
        environment, capacity, **{"seed": 0, **arguments}
    )


def data_of(buffer, batch_size=4, prefetch=None):
    """The data set that belongs to the backend."""
    if keras.backend.backend() == "tensorflow":
        return buffer.dataset(batch_size, prefetch=prefetch)
    return buffer.batches(batch_size, prefetch=prefetch)


def fit(agent, data, callbacks, steps=10, epochs=1, verbose=0):
    return agent.fit(
        data,
        epochs=epochs,
        steps_per_epoch=steps,
        callbacks=callbacks,
        shuffle=False,
        verbose=verbose,
    ).history


class Spy:
    """A policy that always takes one action and notes what it is given."""

    def __init__(self, action=1):
        self.action = action
        self.steps = []

    def __call__(self, model, observations, step):
        self.steps.append(step)
        return np.full(len(observations), self.action)
