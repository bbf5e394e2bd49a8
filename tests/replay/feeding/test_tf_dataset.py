import keras
import numpy as np
import pytest

from keras_rlkit.callbacks import CollectSteps
from keras_rlkit.replay import Prioritized, ReplayBuffer, Uniform
from tests.callbacks.scripted_environments import (
    Spy,
    fit,
    make_agent,
    make_buffer,
    make_scripted,
)

NO = np.array([False])

pytestmark = pytest.mark.tensorflow_only


def grow(buffer, steps):
    """Add steps whose action, reward and frames tell their number."""
    for t in steps:
        now = np.full((1, 2, 3), [t, t + 1, t + 2], "uint8")
        buffer.add(now, np.array([t]), np.array([t / 2]), NO, NO, now + 1)
    return buffer


def make(count=40, seed=0, capacity=50, **arguments):
    buffer = ReplayBuffer(
        capacity, (2, 3), "uint8", frame_stack=3, seed=seed, **arguments
    )
    return grow(buffer, range(count))


def test_shapes_are_static_and_dtypes_those_of_the_buffer():
    observation, rest = make().dataset(batch_size=8).element_spec
    specs = {"observation": observation, **rest}
    assert {
        name: (tuple(spec.shape), spec.dtype.name)
        for name, spec in specs.items()
    } == {
        "observation": ((8, 2, 3), "uint8"),
        "action": ((8,), "int32"),
        "reward": ((8,), "float32"),
        "discount": ((8,), "float32"),
        "next_observation": ((8, 2, 3), "uint8"),
    }


@pytest.mark.parametrize("prefetch", [None, 0, 1, 3])
def test_batches_are_those_of_sample(prefetch):
    iterator = iter(make().dataset(8, prefetch=prefetch))
    buffer = make()
    for _ in range(20):
        observation, rest = next(iterator)
        expected, labels = buffer.sample(8)
        np.testing.assert_array_equal(observation, expected)
        for name, array in labels.items():
            np.testing.assert_array_equal(rest[name], array)


@pytest.mark.parametrize("n_step", [1, 2])
@pytest.mark.parametrize(
    "stack, dtype", [(4, "uint8"), (2, "uint8"), (4, "float32"), (1, "int16")]
)
def test_stacks_of_every_kind(stack, dtype, n_step):
    """Four bytes are laid out as words, others one by one."""
    buffers = [
        ReplayBuffer(
            50, (5, 3, stack), dtype, frame_stack=stack, n_step=n_step, seed=0
        )
        for _ in range(2)
    ]
    frames = np.random.default_rng(0).integers(0, 256, (45, 5, 3))
    for buffer in buffers:
        for t in range(40):
            now, then = (
                np.moveaxis(frames[i : i + stack], 0, -1).astype(dtype)[None]
                for i in (t, t + 1)
            )
            buffer.add(now, np.array([t]), np.array([1.0]), NO, NO, then)
    dataset = iter(buffers[0].dataset(8))
    for _ in range(5):
        observation, rest = next(dataset)
        expected, labels = buffers[1].sample(8)
        np.testing.assert_array_equal(observation, expected)
        np.testing.assert_array_equal(
            rest["next_observation"], labels["next_observation"]
        )


@pytest.mark.parametrize("prefetch", [0, 2])
def test_what_is_drawn_from_depends_on_the_order_of_calls_alone(prefetch):
    buffer, plain = make(10), make(10)
    iterator = iter(buffer.dataset(8, prefetch=prefetch))
    # The first batch comes with those ahead of it, all drawn from ten steps.
    # Each later one is drawn when the one `prefetch` before it is taken.
    expected = [plain.sample(8) for _ in range(prefetch + 1)]
    for t in range(10, 30):
        if t > 10:
            expected.append(plain.sample(8))
        _, rest = next(iterator)
        np.testing.assert_array_equal(
            rest["action"], expected.pop(0)[1]["action"]
        )
        grow(buffer, [t])
        grow(plain, [t])


def test_a_pipeline_that_reads_ahead_still_gets_whole_transitions():
    # Ten transitions in a ring that is always written to, read by a thread of
    # TensorFlow's.
    buffer = make(10, capacity=10)
    iterator = iter(buffer.dataset(10).prefetch(4))
    for t in range(10, 250):
        grow(buffer, [t])
        observation, rest = next(iterator)
        actions = rest["action"].numpy()
        np.testing.assert_array_equal(observation[:, 0, 0], actions)
        np.testing.assert_array_equal(rest["reward"], actions / 2)
        newest = rest["next_observation"][:, 1, 2]
        np.testing.assert_array_equal(newest, actions + 3)


def vectors(count=40, **arguments):
    buffer = ReplayBuffer(50, (3,), "float32", seed=0, **arguments)
    for t in range(count):
        now = np.full((1, 3), t)
        buffer.add(now, np.array([t]), np.array([t / 2]), NO, NO, now + 1)
    return buffer


@pytest.mark.parametrize("sampler", [Uniform, Prioritized])
def test_batches_of_an_execution_are_those_of_sample(sampler):
    buffer, plain = vectors(sampler=sampler()), vectors(sampler=sampler())
    iterator = iter(buffer.dataset(8))
    for count in (1, 3, 2):
        buffer.feed.batches_per_execution = count
        for _ in range(count):
            for part, expected in zip(
                keras.tree.flatten(next(iterator)),
                keras.tree.flatten(plain.sample(8)),
                strict=True,
            ):
                assert part.dtype == expected.dtype
                np.testing.assert_array_equal(part, expected)


def test_an_execution_is_drawn_once_and_after_the_newest_step(monkeypatch):
    environment = make_scripted()
    buffer = make_buffer(environment)
    drawn, draw = [], buffer.feed.draw

    def noted(*arguments, **keywords):
        batch = draw(*arguments, **keywords)
        drawn.append((buffer.feed.batches_per_execution, len(buffer)))
        return batch

    monkeypatch.setattr(buffer.feed, "draw", noted)
    agent = make_agent(steps_per_execution=4)
    collect = CollectSteps(
        environment, buffer, Spy(), steps_per_update=1, warmup_steps=20
    )
    fit(agent, buffer.dataset(4), [collect], steps=12)
    assert drawn == [(4, 20), (4, 24), (4, 28)]
    next(iter(buffer.dataset(4)))
    assert drawn[3:] == [(1, 32)]


def test_an_error_shows_its_message_and_is_not_remembered():
    import tensorflow as tf

    buffer = make(0)
    for prefetch in (0, 2):
        dataset = buffer.dataset(4, prefetch=prefetch)
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match="`batch_size` must be at most the number of transitions stor"
            "ed, 0. Received: batch_size=4. Add transitions first",
        ):
            next(iter(dataset))
        filled = grow(buffer, range(5))
        assert next(iter(dataset))[0].shape == (4, 2, 3)
        assert len(filled) == 5
        buffer = make(0)


def test_an_empty_buffer_moves_no_weights():
    buffer = ReplayBuffer(10, (3,), "float32")
    agent = make_agent()
    before = agent.q_network.get_weights()
    with pytest.raises(Exception, match="Add transitions first"):
        fit(agent, buffer.dataset(4), [], steps=2)
    for new, old in zip(agent.q_network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)


def test_it_goes_through_the_operations_of_tf_data():
    dataset = make().dataset(8).map(lambda x, rest: (x[:4], rest["action"]))
    for observation, action in dataset.take(3):
        assert observation.shape == (4, 2, 3) and action.shape == (8,)


def test_arguments():
    buffer = make()
    with pytest.raises(ValueError, match=r"Received: batch_size=0\."):
        buffer.dataset(0)
    with pytest.raises(ValueError, match=r"Received: prefetch=-1\."):
        buffer.dataset(4, prefetch=-1)
    with pytest.raises(ValueError, match=r"capacity, 50\. Received: batch_si"):
        buffer.dataset(51)
