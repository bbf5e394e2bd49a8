import itertools

import jax
import keras
import numpy as np
import pytest

from keras_rlkit.callbacks import CollectSteps
from keras_rlkit.replay import Batches, Prioritized, ReplayBuffer, Uniform
from keras_rlkit.replay.feeding import jax_layout
from tests.callbacks.scripted_environments import (
    Spy,
    fit,
    make_agent,
    make_buffer,
    make_scripted,
)

NO = np.array([False])


def filled(seed=0, **arguments):
    buffer = ReplayBuffer(
        50, (2, 3), "uint8", frame_stack=3, seed=seed, **arguments
    )
    for t in range(40):
        now = np.full((1, 2, 3), [t, t + 1, t + 2], "uint8")
        buffer.add(now, np.array([t]), np.array([t / 2]), NO, NO, now + 1)
    return buffer


@pytest.mark.parametrize("prefetch", [None, 0, 2])
def test_batches_are_those_of_sample(prefetch):
    batches, buffer = filled().batches(8, prefetch=prefetch), filled()
    for index in range(10):
        observation, rest = batches[index]
        expected, labels = buffer.sample(8)
        np.testing.assert_array_equal(observation, expected)
        assert observation.dtype == np.uint8
        assert observation.flags.c_contiguous
        assert set(rest) == set(labels)
        for name, array in labels.items():
            np.testing.assert_array_equal(rest[name], array)
            assert rest[name].dtype == array.dtype


@pytest.fixture
def accelerator(monkeypatch):
    """Batches take the way that they take on an accelerator."""
    if keras.backend.backend() != "jax":
        pytest.skip("only JAX lays out on its device")
    monkeypatch.setattr(jax_layout, "on_accelerator", lambda: True)


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("prioritized", [False, True])
def test_an_accelerator_gets_the_same(n_step, prioritized, accelerator):
    buffer, twin = (
        filled(
            n_step=n_step, sampler=Prioritized() if prioritized else Uniform()
        )
        for _ in range(2)
    )
    batches = buffer.batches(8)
    for index in range(20):
        batch, expected = batches[index], twin.sample(8)
        assert keras.tree.is_nested(batch) and len(batch) == len(expected)
        assert set(batch[1]) == set(expected[1])
        keras.tree.map_structure(check_array, batch, expected)


def check_array(array, expected):
    assert isinstance(array, jax.Array)
    np.testing.assert_array_equal(array, expected)
    # JAX has no 64 bits by default.
    name = expected.dtype.name
    assert array.dtype == {"int64": "int32"}.get(name, name)


def test_an_accelerator_gets_vectors(accelerator):
    buffers = [ReplayBuffer(50, (3,), "float32", seed=0) for _ in range(2)]
    for buffer in buffers:
        for t in range(40):
            now = np.full((1, 3), t, "float32")
            buffer.add(now, np.array([t]), np.array([t / 2]), NO, NO, now + 1)
    batches = buffers[0].batches(8)
    for index in range(10):
        keras.tree.map_structure(
            check_array, batches[index], buffers[1].sample(8)
        )


def test_an_accelerator_begins_anew_with_each_iterator(accelerator):
    buffer = filled()
    batches = buffer.batches(8)
    batches[0]
    # What was drawn for the iterator that is gone is not trained on.
    now = np.full((1, 2, 3), 99, "uint8")
    for _ in range(50):
        buffer.add(now, np.array([7]), np.array([0.0]), NO, NO, now)
    assert (np.asarray(batches[0][1]["action"]) == 7).all()


def test_an_accelerator_trains_on_no_zeros(accelerator):
    test_any_backend_can_train_on_it(4)


def test_it_never_ends():
    batches = filled().batches(4)
    assert isinstance(batches, Batches)
    assert batches.num_batches is None
    drawn = [rest["action"] for _, rest in itertools.islice(batches, 30)]
    assert len({action.tobytes() for action in drawn}) > 20


def test_an_index_gives_another_batch_each_time():
    batches = filled().batches(8)
    assert np.any(batches[3][1]["action"] != batches[3][1]["action"])


@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_any_backend_can_train_on_it(steps_per_execution):
    environment = make_scripted(lengths=(1,), truncates=False, reward=7.0)
    buffer = make_buffer(environment)
    collect = CollectSteps(environment, buffer, Spy(), 2, 10)
    agent = make_agent(
        values=[0.0, 0.0],
        learning_rate=0.0,
        steps_per_execution=steps_per_execution,
    )
    history = fit(agent, buffer.batches(4), [collect], steps=8, epochs=2)
    # Of zeros, looked at before there was anything, none is trained on.
    assert history["td_error"] == [7.0, 7.0]
    counter = keras.ops.convert_to_numpy(agent.gradient_steps)
    assert (int(counter), collect.environment_steps) == (16, 42)
    assert len(buffer) == 42


def test_arguments():
    buffer = filled()
    with pytest.raises(ValueError, match=r"Received: batch_size=0\."):
        buffer.batches(0)
    with pytest.raises(ValueError, match=r"Received: prefetch=-1\."):
        buffer.batches(4, prefetch=-1)
    with pytest.raises(
        ValueError,
        match="`batch_size` must be at most the buffer's capacity, 50. Receive"
        r"d: batch_size=51\.",
    ):
        buffer.batches(51)
