import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.replay.feeding.padded_size import padded_size
from keras_rlkit.replay.storage.epoch_samples import standardized


def add(buffer, first, reward, terminated=False, truncated=False, valid=True):
    """One step of every environment; observations count up from `first`."""
    first = np.atleast_1d(np.asarray(first, "float32"))
    rows = len(first)
    buffer.add(
        first[:, None],
        np.zeros(rows, "int64"),
        np.broadcast_to(np.asarray(reward, "float64"), rows),
        np.broadcast_to(terminated, rows),
        np.broadcast_to(truncated, rows),
        first[:, None] + 1,
        valid if isinstance(valid, list) else np.full(rows, valid),
    )


def new_buffer(discount=0.5, **arguments):
    return rlk.replay.EpisodeBuffer(
        discount, **{"observation_shape": (1,), **arguments}
    )


def values_are(table):
    """A stand-in for a model: the value of an observation, by its number."""

    def evaluate(observation, action):
        assert len(observation) == len(action)
        values = [table[int(number)] for number in observation[:, 0]]
        return np.array(values), -np.arange(len(action), dtype="float32")

    return evaluate


def test_returns_of_a_terminated_episode_by_hand():
    buffer = new_buffer()
    for step in range(3):
        add(buffer, step, 1.0, terminated=step == 2)
    observation, action, weight = buffer.samples()
    np.testing.assert_array_equal(observation, [[0], [1], [2]])
    np.testing.assert_allclose(weight, [1.75, 1.5, 1.0])
    assert (observation.dtype, action.dtype, weight.dtype) == (
        np.float32,
        np.int32,
        np.float32,
    )
    assert len(buffer) == 3


def test_time_limit_is_not_terminal():
    # Mean reward 2, for ever: 2 / (1 - 0.5) = 4.
    buffer = new_buffer()
    add(buffer, 0, 1.0)
    add(buffer, 1, 3.0, truncated=True)
    np.testing.assert_allclose(buffer.samples()[2], [1 + 0.5 * 5, 3 + 0.5 * 4])
    # With a value it is the value of the last observation.
    buffer.clear()
    add(buffer, 0, 1.0)
    add(buffer, 1, 3.0, truncated=True)
    buffer.finish(values_are({0: 9, 1: 9, 2: 10.0}))
    np.testing.assert_allclose(buffer.samples()[2], [1 + 0.5 * 8, 3 + 0.5 * 10])


def test_terminated_wins_over_truncated():
    buffer = new_buffer()
    add(buffer, 0, 3.0, terminated=True, truncated=True)
    np.testing.assert_allclose(buffer.samples()[2], [3.0])


def test_mean_reward_is_that_of_the_cut_episode_alone():
    buffer = new_buffer()
    add(buffer, 0, 100.0, terminated=True)
    add(buffer, 5, 1.0)
    add(buffer, 6, 1.0, truncated=True)
    np.testing.assert_allclose(buffer.samples()[2], [100.0, 2.0, 2.0])


def test_discount_of_one_ends_with_nothing():
    buffer = new_buffer(discount=1.0)
    add(buffer, 0, 1.0)
    add(buffer, 1, 3.0, truncated=True)
    np.testing.assert_allclose(buffer.samples()[2], [4.0, 3.0])


def test_environments_keep_apart_and_invalid_rows_are_dropped():
    # Environment 0 ends after one step and then only resets; environment 1
    # plays on.
    buffer = new_buffer(num_envs=2)
    add(buffer, [0, 10], [1.0, 2.0], terminated=[True, False])
    add(buffer, [1, 11], [50.0, 4.0], valid=[False, True])
    add(buffer, [5, 12], [8.0, 8.0], terminated=[True, True])
    observation, _, weight = buffer.samples()
    np.testing.assert_array_equal(observation[:, 0], [0, 10, 11, 5, 12])
    np.testing.assert_allclose(weight, [1.0, 6.0, 8.0, 8.0, 8.0])


def test_row_that_is_left_out_cuts_the_trajectory():
    buffer = new_buffer()
    add(buffer, 0, 1.0)
    add(buffer, 7, 99.0, valid=False)
    add(buffer, 20, 4.0, terminated=True)
    buffer.finish(values_are({0: 0, 1: 6.0, 20: 0}))
    np.testing.assert_allclose(buffer.samples()[2], [1 + 0.5 * 6, 4.0])


def test_advantages_by_hand():
    # Values 2, 4 and 8 of the three states; lambda 0.5: advantage of the last
    # step 1 + 0.5 * 8 - 4 = 1, of the first 1 + 0.5 * 4 - 2 + 0.25 * 1 = 1.25.
    buffer = new_buffer(lambda_=0.5)
    add(buffer, 0, 1.0)
    add(buffer, 1, 1.0, truncated=True)
    add(buffer, 7, 3.0, terminated=True)
    buffer.finish(values_are({0: 2.0, 1: 4.0, 2: 8.0, 7: 1.0}))
    observation, targets, weight = buffer.samples()
    np.testing.assert_allclose(targets["advantage"], [1.25, 1.0, 2.0])
    np.testing.assert_allclose(targets["value"], [2.0, 4.0, 1.0])
    np.testing.assert_allclose(targets["value_target"], [3.25, 5.0, 3.0])
    np.testing.assert_allclose(targets["log_probability"], [0, -1, -2])
    np.testing.assert_array_equal(weight, np.ones(3))
    assert targets["action"].dtype == np.int32


def test_rollout_that_stops_in_an_episode_counts_on_with_the_value():
    buffer = new_buffer(lambda_=1.0, num_envs=2)
    add(buffer, [0, 10], [1.0, 1.0])
    add(buffer, [1, 11], [1.0, 1.0], terminated=[False, True])
    table = {0: 0.0, 1: 0.0, 2: 8.0, 10: 0.0, 11: 0.0, 12: 1e6}
    buffer.finish(values_are(table))
    _, targets, _ = buffer.samples()
    np.testing.assert_allclose(targets["advantage"], [3.5, 1.5, 5.0, 1.0])


def test_long_rollout_against_a_loop():
    generator = np.random.default_rng(0)
    steps, num_envs, gamma, lambda_ = 37, 3, 0.9, 0.8
    reward = generator.normal(size=(steps, num_envs))
    terminated = generator.random((steps, num_envs)) < 0.1
    truncated = generator.random((steps, num_envs)) < 0.1
    table = generator.normal(size=2 * steps * num_envs + 9)
    buffer = new_buffer(gamma, lambda_=lambda_, num_envs=num_envs)
    # Every observation has a number of its own, the next ones too.
    number = 2 * np.arange(steps * num_envs).reshape(steps, num_envs)
    for t in range(steps):
        add(buffer, number[t], reward[t], terminated[t], truncated[t])
    buffer.finish(values_are(table))
    expected = np.zeros((steps, num_envs))
    for row in range(num_envs):
        for t in reversed(range(steps)):
            ended = terminated[t, row] or truncated[t, row] or t == steps - 1
            after = number[t, row] + 1 if ended else number[t + 1, row]
            after = 0.0 if terminated[t, row] else table[after]
            delta = reward[t, row] + gamma * after - table[number[t, row]]
            later = 0.0 if ended else expected[t + 1, row]
            expected[t, row] = delta + gamma * lambda_ * later
    _, targets, _ = buffer.samples()
    np.testing.assert_allclose(
        targets["advantage"], expected.ravel(), rtol=1e-4, atol=1e-5
    )


def test_standardize():
    buffer = new_buffer(discount=0.0, standardize=True)
    add(buffer, 0, 1.0)
    add(buffer, 1, 3.0, terminated=True)
    np.testing.assert_allclose(buffer.samples()[2], [-1.0, 1.0])
    buffer = new_buffer(discount=0.0, standardize=True, lambda_=0.0)
    add(buffer, 0, 1.0, terminated=True)
    add(buffer, 1, 3.0, terminated=True)
    buffer.finish(values_are({0: 5.0, 1: 5.0}))
    _, targets, _ = buffer.samples()
    np.testing.assert_allclose(targets["advantage"], [-1.0, 1.0])
    np.testing.assert_allclose(targets["value_target"], [1.0, 3.0])


@pytest.mark.parametrize("reward", [0.0, 1e-20, 0.1, 1e6])
@pytest.mark.parametrize("steps", [1, 7])
def test_standardizing_equal_returns_gives_zeros(reward, steps):
    buffer = new_buffer(discount=0.0, standardize=True)
    for step in range(steps):
        add(buffer, step, reward, terminated=True)
    np.testing.assert_array_equal(buffer.samples()[2], np.zeros(steps))


def test_standardized_ignores_rounding_noise_only():
    noise = np.array([1.0, 1.0 + 1e-7, 1.0 - 1e-7])
    np.testing.assert_array_equal(standardized(noise), np.zeros(3))
    assert standardized(np.array([1.0, 1.001])).tolist() == [-1.0, 1.0]


def test_minibatches_hold_every_sample_once_per_pass():
    buffer = new_buffer(seed=0)
    for step in range(10):
        add(buffer, step, step, terminated=True)
    batches = buffer.batches(minibatches=3, passes=2, pad=False)
    assert batches.num_batches == 6
    taken = [batches[index] for index in range(6)]
    assert [len(batch[0]) for batch in taken] == [4, 3, 3] * 2
    orders = []
    for start in (0, 3):
        part = taken[start : start + 3]
        observation = np.concatenate([batch[0] for batch in part])[:, 0]
        assert sorted(observation) == list(range(10))
        weight = np.concatenate([batch[2] for batch in part])
        np.testing.assert_array_equal(weight, observation)
        orders.append(observation.tolist())
    assert orders[0] != orders[1]


def test_passes_follow_each_other_whatever_order_keras_asks_for():
    buffer = new_buffer(seed=0)
    for number in range(4):
        add(buffer, number, 1.0, terminated=number == 3)
    batches = buffer.batches(minibatches=2, passes=2, pad=False)
    seen = [batches[index][0][:, 0].tolist() for index in (3, 0, 2, 1)]
    assert sorted(seen[0] + seen[1]) == [0, 1, 2, 3]
    assert sorted(seen[2] + seen[3]) == [0, 1, 2, 3]


def test_padding_keeps_every_mean():
    buffer = new_buffer()
    for step in range(5):
        add(buffer, step, step + 1.0, terminated=True)
    observation, _, weight = buffer.batches(pad=True)[0]
    # Six is the next size after five.
    assert len(observation) == 6
    np.testing.assert_allclose(np.mean(weight * observation[:, 0]), 40 / 5)
    assert np.count_nonzero(weight) == 5
    assert set(observation[:, 0]) == set(range(5))


def test_rows_that_pad_are_told_from_returns_of_zero():
    # 0, 1, 0, -2 and 0, each the return of its own episode; -0.0 marks the
    # row that fills up, whatever the sign of the row that it repeats.
    for sign in (1.0, -1.0):
        buffer = new_buffer()
        for step, reward in enumerate([0.0, 1.0, -0.0, -2.0, 0.0]):
            add(buffer, step, sign * reward, terminated=True)
        weight = buffer.batches(pad=True)[0][2]
        filler = (weight == 0) & np.signbit(weight)
        assert filler.tolist() == [False] * 5 + [True]


@pytest.mark.parametrize("entropy_weight", [0.0, 1.0])
def test_padding_keeps_the_loss_with_its_entropy_bonus(entropy_weight):
    losses = []
    for pad in (False, True):
        buffer = new_buffer()
        for step in range(5):
            add(buffer, step, step - 1.0, terminated=True)
        observation, action, weight = buffer.batches(pad=pad)[0]
        logits = observation * np.array([[1.0, -1.0]], "float32")
        loss = rlk.losses.PolicyGradientLoss(entropy_weight)
        losses.append(float(loss(action, logits, weight)))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


@pytest.mark.parametrize(
    "size, padded",
    [(1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (7, 8), (9, 12), (13, 16)],
)
def test_padded_sizes(size, padded):
    assert padded_size(size) == padded


def test_fewer_samples_than_minibatches():
    buffer = new_buffer()
    add(buffer, 4, 1.0, terminated=True)
    batches = buffer.batches(minibatches=3)
    for index in range(3):
        np.testing.assert_array_equal(batches[index][0], [[4.0]])


def test_data_are_given_out_once():
    buffer = new_buffer()
    batches = buffer.batches()
    # Before there are data, a look gets zeros, once for each index.
    np.testing.assert_array_equal(batches[0][2], np.zeros(8))
    with pytest.raises(ValueError, match="at least one transition. Rec"):
        batches[0]
    add(buffer, 4, 1.0, terminated=True)
    # `fit` may look at data that were added by hand, too.
    for _ in range(2):
        batches[0]
    with pytest.raises(ValueError, match="have been used already"):
        batches[0]
    # What is added after training begins a new epoch.
    add(buffer, 9, 2.0, terminated=True)
    np.testing.assert_array_equal(batches[0][0], [[9.0]])
    with pytest.raises(ValueError, match="have been used already"):
        batches[0]


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


@pytest.mark.parametrize(
    "kind, argument",
    [
        ("MultiDiscrete", [2, 2]),
        ("MultiBinary", 3),
        ("MultiBinary", [3]),
        ("MultiBinary", [2, 3]),
    ],
)
def test_spaces_of_actions_that_no_policy_has(kind, argument):
    import gymnasium

    class Odd:
        observation_space = gymnasium.spaces.Box(0, 1, (2,))
        action_space = getattr(gymnasium.spaces, kind)(argument)

    with pytest.raises(
        ValueError,
        match=f"must have `Discrete` or one-dimens.*action_space={kind}",
    ):
        rlk.replay.EpisodeBuffer.for_environment(Odd(), 0.9)


def test_shape_of_observations_must_be_known_for_data():
    buffer = rlk.replay.EpisodeBuffer(0.9)
    with pytest.raises(ValueError, match="`observation_shape` must be known"):
        buffer.batches()
    add(buffer, 0, 1.0, terminated=True)
    assert buffer.batches()[0][0].shape == (1, 1)


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
    buffer.finish(lambda observation, action: (observation[:, 0], action[:, 0]))
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
            "num_actions": 3,
            "capacity": 100,
            "seed": 1,
        },
        "draw": draw_epoch,
        "bad": {
            "discount": [1.5],
            "lambda_": [-0.1],
            "observation_dtype": ["text"],
            "num_envs": [0],
            "capacity": [0],
            "seed": [-1],
        },
    }
}
