"""A small training with all that has a state, made anew each time."""

import functools
import json
import random
import tempfile

import gymnasium
import keras
import numpy as np

import keras_rlkit as rlk
from keras_rlkit.callbacks import (
    CollectSteps,
    EvaluatePolicy,
    ResumeTraining,
)
from keras_rlkit.environments import atari
from keras_rlkit.policies import EpsilonGreedy
from keras_rlkit.replay import ReplayBuffer, Uniform

BATCH = 8
STEPS = 6


class Engine(gymnasium.Wrapper):
    """CartPole with a part that can't be copied."""

    def __init__(self):
        super().__init__(gymnasium.make("CartPole-v1"))
        self.engine = object()


def cartpole():
    return gymnasium.make("CartPole-v1")


def cartpoles():
    return gymnasium.make_vec("CartPole-v1", 3, "sync")


def breakout():
    return atari("breakout", 2, image_size=(12, 12), frame_skip=8)


def make_agent(shape, num_actions, units=8, steps_per_execution=1):
    network = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation="relu"),
            # Draws from a generator of the model.
            keras.layers.Dropout(0.2),
            keras.layers.Dense(num_actions),
        ]
    )
    agent = rlk.models.DoubleDQN(network, target_update_rate=0.1)
    agent.compile(
        keras.optimizers.Adam(0.01),
        "huber",
        steps_per_execution=steps_per_execution,
    )
    return agent


class Draw(keras.callbacks.Callback):
    """Draws from the global generators of Python and NumPy."""

    def on_epoch_end(self, epoch, logs=None):
        logs["drawn"] = random.random() + np.random.random()


class Training:
    """All parts of a training, made anew from the same seeds."""

    def __init__(
        self,
        folder,
        make_environment=cartpole,
        prefetch=0,
        every=1,
        n_step=3,
        units=8,
        steps_per_execution=1,
        steps_per_update=1.5,
        callbacks=(),
        last=False,
        capacity=60,
        make_sampler=Uniform,
        evaluate=False,
        **arguments,
    ):
        keras.utils.set_random_seed(7)
        self.environment = make_environment()
        pixels = make_environment is breakout
        self.buffer = ReplayBuffer.for_environment(
            self.environment,
            capacity,
            frame_stack=4 if pixels else None,
            n_step=n_step,
            sampler=make_sampler(),
            **arguments,
        )
        self.agent = make_agent(
            self.buffer.observation_shape,
            self.buffer.num_actions,
            units,
            steps_per_execution,
        )
        tensorflow = keras.backend.backend() == "tensorflow"
        make_data = self.buffer.dataset if tensorflow else self.buffer.batches
        self.data = make_data(BATCH, prefetch)
        epsilon = keras.optimizers.schedules.PolynomialDecay(1.0, 50, 0.1)
        self.collect = CollectSteps(
            self.environment,
            self.buffer,
            EpsilonGreedy(epsilon),
            steps_per_update=steps_per_update,
            warmup_steps=20,
            seed=1,
        )
        self.callbacks = [ResumeTraining(folder, every), self.collect]
        if evaluate:
            environment = make_environment()
            # Its randomness runs on from here.
            environment.reset(seed=5)
            self.callbacks.append(
                EvaluatePolicy(environment, EpsilonGreedy(0.3), 2)
            )
        if last:
            self.callbacks.reverse()
        self.callbacks += [Draw(), *callbacks]

    def fit(self, epochs):
        self.history = self.agent.fit(
            self.data,
            epochs=epochs,
            steps_per_epoch=STEPS,
            callbacks=self.callbacks,
            verbose=0,
        )
        return self

    def everything(self):
        """Every bit that counts, by name."""
        variables = {
            f"variable {number}": keras.ops.convert_to_numpy(variable)
            for number, variable in enumerate(
                self.agent.variables + self.agent.optimizer.variables
            )
        }
        arrays = self.buffer.get_state()["arrays"]
        batch = keras.tree.flatten(self.buffer.sample(BATCH))
        batch = {f"batch {n}": array for n, array in enumerate(batch)}
        bits = {
            name: np.asarray(array).tobytes()
            for name, array in {**variables, **arrays, **batch}.items()
        }
        history = json.dumps([self.history.epoch, self.history.history])
        return {
            **bits,
            "history": history,
            "steps": self.collect.environment_steps,
            "action": self.collect.policy(
                self.agent,
                np.zeros((20, *self.buffer.observation_shape), "float32"),
                self.collect.environment_steps,
            ).tolist(),
        }


@functools.cache
def straight(epochs, **arguments):
    """Every bit of a training that was never interrupted."""
    with tempfile.TemporaryDirectory() as folder:
        return Training(folder, **arguments).fit(epochs).everything()


def differences(one, other):
    """Names of what differs between two results of `everything`."""
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


def check_exact(tmp_path, interrupted=2, epochs=4, **arguments):
    """Train straight, and with a process that ends in between."""
    Training(tmp_path, **arguments).fit(interrupted)
    resumed = Training(tmp_path, **arguments).fit(epochs)
    expected = straight(epochs, **arguments)
    assert differences(expected, resumed.everything()) == []
    assert resumed.history.epoch == list(range(epochs))
    assert resumed.agent.gradient_steps == epochs * STEPS
    return resumed
