import keras
import numpy as np
import pytest
from gymnasium import spaces

import keras_rlkit as rlk
from keras_rlkit.callbacks import CollectSteps
from tests.callbacks.scripted_environments import (
    Spy,
    data_of,
    fit,
    make_agent,
    make_buffer,
    make_scripted,
)


def test_a_model_that_does_not_fit():
    environment = make_scripted()
    buffer = make_buffer(environment)
    collect = CollectSteps(environment, buffer, Spy(), 1)
    with pytest.raises(
        ValueError,
        match="The model must have one output for each action of the "
        r"environment, 2. Received: a model with output shape \(None, 5\)\.",
    ):
        fit(make_agent(actions=5), data_of(buffer), [collect])
    assert environment.steps == 0


def test_a_model_that_does_not_tell_its_shape():
    class Untold(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, inputs):
            return self.dense(inputs)

    environment = make_scripted()
    buffer = make_buffer(environment)
    collect = CollectSteps(environment, buffer, Spy(), 1, 5)
    collect.set_model(Untold())
    collect.on_train_begin()
    assert collect.environment_steps == 5


def test_an_epoch_without_an_end():
    environment = make_scripted()
    buffer = make_buffer(environment)
    collect = CollectSteps(environment, buffer, Spy(), 1, 5)
    # Any model, not only those of the kit.
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")

    def endless():
        while True:
            yield np.zeros((1, 3), "float32"), np.zeros((1, 2), "float32")

    with pytest.raises(
        ValueError,
        match="`steps_per_epoch` must be given to `fit` for data without an "
        r"end, .* Received: steps_per_epoch=None\. Pass a number of",
    ):
        model.fit(endless(), callbacks=[collect], shuffle=False, verbose=0)
    assert environment.steps == 0
    model.fit(
        endless(),
        steps_per_epoch=3,
        callbacks=[collect],
        shuffle=False,
        verbose=0,
    )
    assert environment.steps == 5 + 3


def test_continuous_actions():
    environment = make_scripted()
    environment.action_space = spaces.Box(-1, 1, (1,))
    with pytest.raises(
        ValueError, match=r"`environment` must have discrete actions\. Recei"
    ):
        make_buffer(environment)
    buffer = make_buffer(make_scripted())
    collect = CollectSteps(environment, buffer, Spy(), 1)
    with pytest.raises(
        ValueError, match="`environment` must have a `Discrete` action space"
    ):
        fit(make_agent(), data_of(buffer), [collect])


def test_a_buffer_of_another_shape():
    buffer = make_buffer(make_scripted(2))
    with pytest.raises(
        ValueError,
        match=r"`buffer` must fit the environment: num_envs=3, observation_sh"
        r"ape=\(3,\)\. Received: num_envs=2, observation_shape=\(3,\)\. Make",
    ):
        CollectSteps(make_scripted(3), buffer, Spy(), 1)
    buffer = rlk.replay.ReplayBuffer(10, (4,), "float32")
    with pytest.raises(ValueError, match=r"Received: num_envs=1, .*\(4,\)\."):
        CollectSteps(make_scripted(), buffer, Spy(), 1)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"steps_per_update": 0}, r"Received: steps_per_update=0\."),
        ({"steps_per_update": float("inf")}, "positive, finite number"),
        ({"warmup_steps": -1}, r"Received: warmup_steps=-1\."),
        ({"warmup_steps": 1.5}, r"Received: warmup_steps=1\.5\."),
        ({"reward_range": (1, -1)}, r"Received: reward_range=\(1, -1\)\."),
        ({"reward_range": (0, 0)}, r"`reward_range` must be two numbers"),
        ({"reward_range": (1,)}, r"`reward_range` must be two numbers"),
        ({"reward_range": (1, 2, 3)}, r"`reward_range` must be two numbers"),
        ({"reward_range": ("a", 1)}, r"`reward_range` must be two numbers"),
        ({"reward_range": 1}, r"`reward_range` must be two numbers"),
        ({"reward_range": (0, float("nan"))}, r"must be two numbers"),
        ({"seed": -1}, r"Received: seed=-1\."),
    ],
)
def test_arguments_out_of_range(arguments, message):
    environment = make_scripted()
    arguments = {"steps_per_update": 1, **arguments}
    with pytest.raises(ValueError, match=message):
        CollectSteps(environment, make_buffer(environment), Spy(), **arguments)
