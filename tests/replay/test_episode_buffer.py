import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from tests.replay.episodes import add, new_buffer, values_are


@pytest.mark.tensorflow_only
def test_dataset_is_finite_and_fresh_in_every_iteration():
    buffer = new_buffer()
    dataset = buffer.dataset(minibatches=2, passes=2)
    assert int(dataset.cardinality()) == 4
    for epoch, steps in enumerate([3, 8]):
        buffer.clear()
        for _ in range(steps):
            add(buffer, epoch, 1.0, terminated=True)
        seen = np.concatenate([batch[0].numpy() for batch in dataset])
        np.testing.assert_array_equal(seen, np.full((2 * steps, 1), epoch))
    import tensorflow as tf

    with pytest.raises(
        tf.errors.InvalidArgumentError, match="have been used already"
    ):
        list(dataset)
    # No batch has a fixed size: one trace serves all.
    assert dataset.element_spec[0].shape.as_list() == [None, 1]


class EpochTags(keras.callbacks.Callback):
    """Fills the buffer with the number of the epoch."""

    def __init__(self, buffer):
        super().__init__()
        self.buffer = buffer

    def on_epoch_begin(self, epoch, logs=None):
        self.buffer.clear()
        for _ in range(5 + 3 * (epoch % 4)):
            add(self.buffer, epoch, 1.0, terminated=True)
        self.buffer.finish()


class SeenInTraining(keras.layers.Layer):
    """Remembers the smallest and largest observation of every epoch."""

    def __init__(self):
        super().__init__()
        self.smallest = self.add_weight(shape=(), trainable=False)
        self.largest = self.add_weight(shape=(), trainable=False)

    def call(self, x, training=False):
        if training:
            smallest = keras.ops.minimum(self.smallest, keras.ops.min(x))
            largest = keras.ops.maximum(self.largest, keras.ops.max(x))
            self.smallest.assign(smallest)
            self.largest.assign(largest)
        return x


@pytest.mark.parametrize("source", ["dataset", "batches"])
@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_fit_never_sees_an_earlier_epoch(source, steps_per_execution):
    buffer = new_buffer(seed=0)
    seen = SeenInTraining()
    model = keras.Sequential([keras.Input((1,)), seen, keras.layers.Dense(2)])
    model.compile(
        "sgd",
        loss=rlk.losses.PolicyGradientLoss(),
        steps_per_execution=steps_per_execution,
    )
    ranges = []

    class Check(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.layers[0].smallest.assign(1e9)
            self.model.layers[0].largest.assign(-1e9)

        def on_train_batch_end(self, batch, logs=None):
            layer = self.model.layers[0]
            ranges.append((float(layer.smallest), float(layer.largest)))

        def on_epoch_end(self, epoch, logs=None):
            ranges.append(epoch)

    model.fit(
        getattr(buffer, source)(minibatches=3, passes=2),
        epochs=6,
        callbacks=[EpochTags(buffer), Check()],
        verbose=0,
    )
    calls = 6 // steps_per_execution
    expected = []
    for epoch in range(6):
        expected += [(epoch, epoch)] * calls + [epoch]
    assert ranges == expected


def test_fit_without_collecting_raises():
    buffer = new_buffer()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    model.compile("sgd", loss=rlk.losses.PolicyGradientLoss())
    with pytest.raises(Exception, match="at least one transition"):
        model.fit(buffer.batches(), epochs=1, verbose=0)


def test_one_trace_serves_epochs_of_every_size():
    traces = []

    class Counting(keras.losses.Loss):
        def call(self, y_true, y_pred):
            traces.append(y_pred.shape)
            return keras.ops.sum(y_pred, axis=1)

    buffer = new_buffer()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    model.compile("sgd", loss=Counting())

    class Collect(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            buffer.clear()
            for _ in range(17 + epoch % 8):
                add(buffer, 0, 1.0, terminated=True)

    on_tensorflow = keras.backend.backend() == "tensorflow"
    data = buffer.dataset() if on_tensorflow else buffer.batches()
    model.fit(data, epochs=2, callbacks=[Collect()], verbose=0)
    first = len(traces)
    model.fit(data, epochs=8, callbacks=[Collect()], verbose=0)
    assert len(traces) == first


def test_nothing_is_lost_by_a_bad_step():
    buffer = new_buffer(num_actions=2)
    add(buffer, 0, 1.0)
    with pytest.raises(ValueError, match="`reward` must be finite"):
        add(buffer, 1, np.nan)
    with pytest.raises(ValueError, match=r"`observation` must have shape"):
        add(buffer, [1, 2], 1.0, valid=[True])
    with pytest.raises(ValueError, match="`action` must be at least 0 and bel"):
        buffer.add(
            np.ones((1, 1)),
            np.array([2]),
            np.ones(1),
            np.array([False]),
            np.array([False]),
            np.ones((1, 1)),
        )
    add(buffer, 1, 1.0, terminated=True)
    np.testing.assert_allclose(buffer.samples()[2], [1.5, 1.0])


def test_epoch_longer_than_the_buffer_raises():
    buffer = new_buffer(capacity=2)
    add(buffer, 0, 1.0)
    add(buffer, 1, 1.0)
    with pytest.raises(ValueError, match="`capacity` must hold a whole epoch"):
        add(buffer, 2, 1.0)
    assert len(buffer) == 2
    assert len(buffer.samples()[2]) == 2


def test_values_that_are_missing_or_not_finite_raise():
    buffer = new_buffer(lambda_=0.9)
    with pytest.raises(ValueError, match="at least one transition. Rec"):
        buffer.finish(values_are({}))
    add(buffer, 0, 1.0, terminated=True)
    with pytest.raises(ValueError, match="`lambda_` needs a model with"):
        buffer.finish()
    with pytest.raises(ValueError, match="Every value of .* nan at step 0"):
        buffer.finish(values_are({0: np.nan}))
    with pytest.raises(ValueError, match="Every log-probability of"):
        buffer.finish(lambda *_: (np.zeros(1), np.array([-np.inf])))
    buffer = new_buffer(discount=1.0)
    add(buffer, 0, 3e38)
    add(buffer, 1, 3e38, terminated=True)
    with pytest.raises(ValueError, match="Every return of an epoch must be fi"):
        buffer.finish()


def test_continuous_actions():
    buffer = new_buffer(action_shape=(2,))
    step = [np.ones(1), np.array([True]), np.array([False]), np.ones((1, 1))]
    buffer.add(np.zeros((1, 1)), np.array([[0.5, 7.0]]), *step)
    _, action, _ = buffer.samples()
    assert action.dtype == np.float32
    np.testing.assert_array_equal(action, [[0.5, 7.0]])
    for bad in (
        np.zeros(1),
        np.array([[0.0, np.nan]]),
        np.array([[0.0, 1j]]),
        np.array([[0.0, None]]),
    ):
        with pytest.raises(ValueError, match=r"`action` must be .* \(1, 2\)"):
            buffer.add(np.zeros((1, 1)), bad, *step)
    # Finite in double precision only.
    with pytest.raises(ValueError, match="`action` must hold numbers that fit"):
        buffer.add(np.zeros((1, 1)), np.array([[0.0, 1e39]]), *step)


@pytest.mark.parametrize(
    "dtype, observation",
    [
        ("uint8", [[300]]),
        ("int8", [[-200]]),
        ("float32", [[1e39]]),
        ("float16", [[1e6]]),
        ("float16", [[100_000]]),
    ],
)
def test_observations_that_would_change(dtype, observation):
    buffer = new_buffer(observation_dtype=dtype)
    flags = [np.array([False]), np.array([False])]
    one = np.ones((1, 1), dtype)
    buffer.add(one, np.zeros(1, int), np.ones(1), *flags, one)
    for now, then in ((observation, one), (one, observation)):
        with pytest.raises(
            ValueError, match=f"observation` must hold numbers .* {dtype}"
        ):
            buffer.add(now, np.zeros(1, int), np.ones(1), *flags, then)
    assert len(buffer) == 1
    # What fits is kept in the buffer's dtype.
    buffer.add([[3]], np.zeros(1, int), np.ones(1), *flags, [[4]])
    observation, _, _ = buffer.samples()
    assert observation.dtype == dtype
    np.testing.assert_array_equal(observation, [[1], [3]])


def test_a_refused_first_step_decides_nothing():
    buffer = rlk.replay.EpisodeBuffer(0.5)
    flags = [np.array([False]), np.array([False])]
    with pytest.raises(ValueError, match="`action` must be integers"):
        buffer.add(np.ones((1, 5)), [0.5], [1.0], *flags, np.ones((1, 5)))
    add(buffer, 0, 1.0, terminated=True)
    assert buffer.observation_shape == (1,)


def test_for_environment():
    import gymnasium

    buffer = rlk.replay.EpisodeBuffer.for_environment(
        gymnasium.make_vec("CartPole-v1", num_envs=3), 0.9, lambda_=0.5
    )
    assert (buffer.num_envs, buffer.num_actions) == (3, 2)
    assert (buffer.observation_shape, buffer.action_shape) == ((4,), ())
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        gymnasium.make("Pendulum-v1"), 0.9
    )
    assert (buffer.num_envs, buffer.num_actions) == (1, None)
    assert buffer.action_shape == (1,)


SPACES = {
    "MultiBinary": ([2, 3],),
    "MultiDiscrete": ([[2, 2], [3, 3]],),
    "Box": (0, 1, (2, 2)),
    "Text": (3,),
}


@pytest.mark.parametrize("kind", SPACES)
def test_spaces_of_actions_that_no_policy_has(kind):
    import gymnasium

    class Odd:
        observation_space = gymnasium.spaces.Box(0, 1, (2,))
        action_space = gymnasium.spaces.Dict(
            {"a": getattr(gymnasium.spaces, kind)(*SPACES[kind])}
        )

    with pytest.raises(
        ValueError, match=rf"have one axis .*action_space\['a'\]={kind}"
    ):
        rlk.replay.EpisodeBuffer.for_environment(Odd(), 0.9)


def test_spaces_of_actions_of_several_parts():
    import gymnasium
    from gymnasium import spaces

    class Even:
        observation_space = gymnasium.spaces.Box(0, 1, (2,))
        action_space = spaces.Dict(
            {
                "bits": spaces.MultiBinary(3),
                "rest": spaces.Tuple(
                    [spaces.MultiDiscrete([2, 5]), spaces.Box(0, 1, (4,))]
                ),
                "one": spaces.Discrete(6),
            }
        )

    buffer = rlk.replay.EpisodeBuffer.for_environment(Even(), 0.9)
    assert buffer.action_shape == {
        "bits": (3,),
        "rest": ((2,), (4,)),
        "one": (),
    }
    assert buffer.num_actions == {
        "bits": 2,
        "rest": ((2, 5), None),
        "one": 6,
    }


def test_bad_arguments_raise():
    for arguments in (
        {"discount": 1.5},
        {"lambda_": -0.1},
        {"num_envs": 0},
        {"capacity": 0},
        {"num_actions": 0},
        {"seed": -1},
    ):
        name = next(iter(arguments))
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            new_buffer(**arguments)
    for arguments in ({"minibatches": 0}, {"passes": 1.5}):
        with pytest.raises(ValueError, match="must be a positive integer"):
            new_buffer().batches(**arguments)


def draw_epoch(buffer):
    buffer.finish(
        lambda observation, action, action_mask, state: (
            observation[:, 0] + state[0][:, 0],
            action[:, 0],
        )
    )
    batches = buffer.batches(minibatches=2, pad=False)
    return [batches[index] for index in range(2)]


CONTRACT = {
    rlk.replay.EpisodeBuffer: {
        "arguments": {
            "discount": 0.9,
            "standardize": True,
            "lambda_": 0.5,
            "observation_shape": (3,),
            "observation_dtype": "float64",
            "num_envs": 2,
            "action_shape": (2,),
            "num_actions": (3, 2),
            "capacity": 100,
            "seed": 1,
            "action_masks": True,
            "sequence_length": 3,
            "state_shape": ((2,),),
        },
        "draw": draw_epoch,
        "bad": {
            "discount": [1.5],
            "lambda_": [-0.1],
            "observation_dtype": ["text"],
            "num_envs": [0],
            "capacity": [0],
            "seed": [-1],
            "sequence_length": [0, None],
            "state_shape": [((0,),), ()],
        },
    }
}
