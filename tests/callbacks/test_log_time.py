import keras
import numpy as np
import pytest

from keras_rlkit.callbacks import CollectSteps, time_split
from keras_rlkit.callbacks.time_split import TimeSplit
from keras_rlkit.replay.feeding import transition_source
from tests.callbacks.scripted_environments import (
    data_of,
    fit,
    make_agent,
    make_buffer,
    make_scripted,
)

NAMES = ["environment", "acting", "storing", "sampling", "training"]


class Clock:
    """Stands still but for the work that takes time."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        for module in (time_split, transition_source):
            monkeypatch.setattr(module, "perf_counter", lambda: self.now)

    def slow(self, function, seconds):
        def wrapper(*arguments, **keywords):
            self.now += seconds
            return function(*arguments, **keywords)

        return wrapper


class SlowTraining(keras.callbacks.Callback):
    """As if each execution took some seconds."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.clock = clock
        self.seconds = seconds

    def on_train_batch_end(self, batch, logs=None):
        self.clock.now += self.seconds


def policy(model, observations, step):
    return np.zeros(len(observations), int)


@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_each_part_has_the_share_that_it_takes(
    steps_per_execution, monkeypatch
):
    clock = Clock(monkeypatch)
    environment = make_scripted(2)
    buffer = make_buffer(environment)
    data = data_of(buffer)
    collect = CollectSteps(
        environment, buffer, clock.slow(policy, 3), 4, 12, log_time=True
    )
    collect.environment.step = clock.slow(collect.environment.step, 5)
    buffer.add = clock.slow(buffer.add, 7)
    buffer.feed.draw = clock.slow(buffer.feed.draw, 11)
    agent = make_agent(steps_per_execution=steps_per_execution)
    callbacks = [SlowTraining(clock, 13), collect]
    buffer.feed.note_seconds_waited(1_000)  # by whoever drew before
    history = fit(agent, data, callbacks, steps=8, epochs=2)
    # In an epoch, 8 batches, on TensorFlow an execution's at once; 32
    # environment steps, two at once.
    at_once = keras.backend.backend() == "tensorflow"
    draws = 8 // steps_per_execution if at_once else 8
    parts = np.array([5 * 16, 3 * 16, 7 * 16, 11 * draws])
    parts = np.append(parts, 13 * 8 // steps_per_execution)
    shares = [history[f"time_{name}"] for name in NAMES]
    for epoch in range(2):
        np.testing.assert_allclose(
            [share[epoch] for share in shares], parts / parts.sum(), atol=1e-12
        )


def test_what_belongs_to_no_part_is_training(monkeypatch):
    clock = Clock(monkeypatch)
    split = TimeSplit()
    clock.now += 100  # before the epoch
    split.begin()
    with split.part("acting"):
        clock.now += 1
    split.add("sampling", 2)
    clock.now += 7
    expected = dict.fromkeys(["environment", "storing"], 0.0)
    expected |= {"acting": 0.125, "sampling": 0.25, "training": 0.625}
    assert split.shares() == {f"time_{k}": v for k, v in expected.items()}


def test_without_it_nothing_of_time_is_logged():
    environment = make_scripted(2)
    buffer = make_buffer(environment)
    data = data_of(buffer)
    collect = CollectSteps(environment, buffer, policy, 4, 12)
    history = fit(make_agent(), data, [collect], steps=4)
    assert not any(name.startswith("time_") for name in history)
