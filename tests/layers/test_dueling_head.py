import keras
import numpy as np
import pytest

import keras_rlkit as rlk

FEATURES = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


@keras.saving.register_keras_serializable("test_dueling_head")
def shifted_relu(x):
    return keras.ops.relu(x - 0.1)


def handmade_head():
    """Two features, one hidden unit per stream, three actions."""
    head = rlk.layers.DuelingHead(3, units=1)
    head.build((None, 2))
    head.set_weights(
        [
            np.array([[1.0], [2.0]]),  # value: 1 * x0 + 2 * x1, relu
            np.array([0.5]),
            np.array([[2.0]]),
            np.array([1.0]),
            np.array([[1.0], [-1.0]]),  # advantage: x0 - x1, relu
            np.array([0.0]),
            np.array([[1.0, 2.0, 6.0]]),
            np.array([0.0, 0.0, 3.0]),
        ]
    )
    return head


def test_numbers_worked_by_hand():
    # Sample 0: V = 2 * (1 + 0.5) + 1 = 4; A = [1, 2, 9], mean 4.
    # Sample 1: V = 2 * relu(-4 + 0.5) + 1 = 1; A = 2 * [1, 2, 6] + [0, 0, 3]
    #   = [2, 4, 15], mean 7.
    q_values = handmade_head()(np.array([[1.0, 0.0], [0.0, -2.0]]))
    np.testing.assert_allclose(
        np.array(q_values), [[1.0, 2.0, 9.0], [-4.0, -2.0, 9.0]]
    )


def test_q_values_of_a_sample_do_not_depend_on_its_neighbours():
    head = rlk.layers.DuelingHead(4, units=8)
    alone = np.array(head(FEATURES[:1]))
    together = np.array(head(FEATURES))
    with_others = np.array(
        head(np.concatenate([FEATURES[:1], 100 * FEATURES[1:]]))
    )
    np.testing.assert_allclose(together[:1], alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(with_others[:1], alone, rtol=1e-5, atol=1e-6)


def test_mean_of_q_values_is_the_state_value():
    # One head in fifty has a sample for which no hidden unit is active.
    keras.utils.set_random_seed(0)
    head = rlk.layers.DuelingHead(4, units=8)
    q_values = np.array(head(FEATURES))
    value = np.array(head.value(head.value_hidden(FEATURES)))
    assert np.ptp(q_values, axis=1).min() > 1e-3
    np.testing.assert_allclose(
        q_values.mean(axis=1, keepdims=True), value, rtol=1e-4, atol=1e-5
    )


def test_adding_a_constant_to_all_advantages_changes_nothing():
    head = handmade_head()
    before = np.array(head(FEATURES[:, :2]))
    head.advantage.bias.assign_add([7.0, 7.0, 7.0])
    np.testing.assert_allclose(
        np.array(head(FEATURES[:, :2])), before, rtol=1e-5, atol=1e-5
    )


def test_gradients_reach_the_streams_as_they_should():
    # One step of plain SGD on the sum of all Q values. That sum is
    # num_actions * V: the advantage stream stands still, the value moves.
    head = handmade_head()
    model = keras.Sequential([keras.Input((2,)), head])
    model.compile(
        keras.optimizers.SGD(1.0),
        loss=lambda target, q_values: keras.ops.sum(q_values),
    )
    before = [np.array(weight) for weight in head.weights]
    model.train_on_batch(np.array([[1.0, 0.0]]), np.zeros((1, 3)))
    moves = [
        np.array(weight) - old for weight, old in zip(head.weights, before)
    ]
    # By hand: dQ/d(value bias) = 3, the hidden activation is 1.5, and its
    # weight into V is 2.
    for move, expected in zip(
        moves, [[[-6.0], [0.0]], [-6.0], [[-4.5]], [-3.0]]
    ):
        np.testing.assert_allclose(move, expected, atol=1e-5)
    for move in moves[4:]:
        np.testing.assert_allclose(move, 0 * move, atol=1e-5)


def test_streams_start_with_different_weights():
    head = rlk.layers.DuelingHead(4, units=8)
    head.build((None, 3))
    assert not np.allclose(
        np.array(head.value_hidden.kernel),
        np.array(head.advantage_hidden.kernel),
    )


def test_arguments_reach_the_weights():
    head = rlk.layers.DuelingHead(
        4, units=7, activation="tanh", kernel_initializer="zeros"
    )
    head.build((None, 3))
    assert [weight.shape for weight in head.weights] == [
        (3, 7),
        (7,),
        (7, 1),
        (1,),
        (3, 7),
        (7,),
        (7, 4),
        (4,),
    ]
    for weight in head.weights:
        np.testing.assert_array_equal(np.array(weight), 0)
    assert head.value_hidden.activation is keras.activations.tanh
    assert head.advantage_hidden.activation is keras.activations.tanh
    assert head.value.activation is keras.activations.linear
    assert head.advantage.activation is keras.activations.linear


def test_plain_function_as_initializer():
    def initializer(shape, dtype=None):
        return keras.ops.full(shape, 0.5, dtype)

    head = rlk.layers.DuelingHead(2, units=3, kernel_initializer=initializer)
    head.build((None, 1))
    np.testing.assert_array_equal(np.array(head.value.kernel), [[0.5]] * 3)


def test_numpy_integers_are_accepted():
    head = rlk.layers.DuelingHead(np.int64(4), units=np.int32(8))
    assert head(FEATURES).shape == (5, 4)
    config = head.get_config()
    assert type(config["num_actions"]) is int
    assert type(config["units"]) is int


@pytest.mark.parametrize("build_first", [False, True])
def test_config_round_trip(build_first):
    head = rlk.layers.DuelingHead(
        4,
        units=8,
        activation="tanh",
        kernel_initializer=keras.initializers.GlorotUniform(seed=3),
        name="head",
        dtype="mixed_bfloat16",
    )
    if build_first:
        head(FEATURES)
    config = head.get_config()
    assert config["num_actions"] == 4
    assert config["units"] == 8
    assert config["activation"] == "tanh"
    copy = rlk.layers.DuelingHead.from_config(config)
    assert copy.get_config() == config
    assert copy.name == "head"
    assert copy.activation is keras.activations.tanh
    assert copy.kernel_initializer.get_config()["seed"] == 3
    assert copy.dtype_policy.name == "mixed_bfloat16"
    copy(FEATURES)
    head(FEATURES)
    # The seed makes the two equal, so this sees every setting at once.
    np.testing.assert_allclose(
        np.array(keras.ops.cast(copy(FEATURES), "float32")),
        np.array(keras.ops.cast(head(FEATURES), "float32")),
    )


@pytest.mark.parametrize("activation", ["elu", shifted_relu])
def test_save_and_load_in_safe_mode(tmp_path, activation):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            rlk.layers.DuelingHead(
                4,
                units=8,
                activation=activation,
                kernel_initializer="random_normal",
            ),
        ]
    )
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path, safe_mode=True)
    assert isinstance(loaded.layers[-1], rlk.layers.DuelingHead)
    np.testing.assert_allclose(
        loaded.predict_on_batch(FEATURES),
        model.predict_on_batch(FEATURES),
        rtol=1e-6,
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    head = rlk.layers.DuelingHead(4, units=8, dtype=policy)
    q_values = head(FEATURES)
    compute_dtype = policy.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(q_values.dtype) == compute_dtype
    for weight in head.weights:
        assert weight.dtype == "float32"
    reference = rlk.layers.DuelingHead(4, units=8)
    reference.build((None, 3))
    reference.set_weights(head.get_weights())
    np.testing.assert_allclose(
        np.array(keras.ops.cast(q_values, "float32")),
        np.array(reference(FEATURES)),
        atol=0.05,
    )


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_compiled_fit_learns(policy):
    model = keras.Sequential(
        [keras.Input((3,)), rlk.layers.DuelingHead(2, units=32, dtype=policy)]
    )
    model.compile(keras.optimizers.Adam(0.01), loss="mse")
    x = np.random.default_rng(1).normal(size=(128, 3)).astype("float32")
    y = np.stack([x[:, 0], x[:, 1] - 1], axis=1)
    history = model.fit(x, y, batch_size=32, epochs=15, verbose=0)
    assert history.history["loss"][-1] < 0.2 * history.history["loss"][0]


def test_leading_dimensions_are_kept():
    head = rlk.layers.DuelingHead(4, units=8)
    rows = np.random.default_rng(2).normal(size=(2, 6, 3)).astype("float32")
    q_values = np.array(head(rows))
    assert q_values.shape == (2, 6, 4)
    np.testing.assert_allclose(
        q_values[1], np.array(head(rows[1])), rtol=1e-5, atol=1e-6
    )


def test_symbolic_call_and_output_shape():
    head = rlk.layers.DuelingHead(4, units=8)
    assert head.compute_output_shape((None, 7, 3)) == (None, 7, 4)
    assert head.compute_output_shape((16, 3)) == (16, 4)
    outputs = head(keras.Input((None, 3)))
    assert outputs.shape == (None, None, 4)
    assert outputs.dtype == "float32"


def test_unknown_features_raise():
    with pytest.raises(
        ValueError,
        match=r"`DuelingHead` needs features of a known size. "
        r"Received: input_shape=\(None, None\)",
    ):
        rlk.layers.DuelingHead(4)(keras.Input((None,)))


def test_other_features_than_built_for_raise():
    head = rlk.layers.DuelingHead(4, units=8)
    head.build((None, 3))
    with pytest.raises(ValueError, match="expected axis -1 of input shape"):
        head(np.ones((2, 5), "float32"))
    with pytest.raises(ValueError, match="min_ndim=2"):
        head(np.ones(3, "float32"))


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "4"])
def test_wrong_counts_raise(value):
    with pytest.raises(
        ValueError, match="`num_actions` must be a positive integer. Received:"
    ):
        rlk.layers.DuelingHead(value)
    with pytest.raises(
        ValueError, match="`units` must be a positive integer. Received:"
    ):
        rlk.layers.DuelingHead(4, units=value)


CONTRACT = {
    rlk.layers.DuelingHead: {
        "arguments": {
            "num_actions": 3,
            "units": 4,
            "activation": "tanh",
            "kernel_initializer": "glorot_normal",
        },
        "bad": {"num_actions": [0, 2.0, True], "units": [-1, None]},
    }
}
