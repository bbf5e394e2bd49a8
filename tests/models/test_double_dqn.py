import keras
import numpy as np
import pytest

import keras_rlkit as rlk

ONLINE = np.array([[1.0, 2.0], [3.0, -1.0]], "float32")
TARGET = np.array([[0.5, -1.0], [2.0, 4.0]], "float32")
# Q(s, a) is 2 and 3. Of the first next state the online network prefers action
# 0, which the target network values at 2.5; the target network's own best is
# action 1, at 3 (which the online network values at 1). The second transition
# is terminal, and its next state would be worth -6.
OBSERVATION = np.array([[1.0, 0.0], [0.0, 1.0]], "float32")
TRANSITION = {
    "action": np.array([1, 0], "int32"),
    "reward": np.array([1.0, -1.0], "float32"),
    "discount": np.array([0.9, 0.0], "float32"),
    "next_observation": np.array([[1.0, 1.0], [2.0, -1.0]], "float32"),
}


def linear_agent(loss="mse", metrics=None, steps_per_execution=1, **arguments):
    network = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2, use_bias=False)]
    )
    agent = rlk.models.DoubleDQN(network, **arguments)
    agent.q_network.set_weights([ONLINE])
    agent.target_weights[0].assign(TARGET)
    agent.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=loss,
        metrics=metrics,
        steps_per_execution=steps_per_execution,
    )
    return agent


def fit_once(agent, sample_weight=None, epochs=1):
    return agent.fit(
        OBSERVATION,
        TRANSITION,
        sample_weight=sample_weight,
        batch_size=2,
        epochs=epochs,
        shuffle=False,
        verbose=0,
    ).history


def online_weights(agent):
    return agent.q_network.get_weights()[0]


def target_weights(agent):
    return keras.ops.convert_to_numpy(agent.target_weights[0])


def test_one_step_of_double_q_learning_by_hand():
    # Targets 1 + 0.9 * 2.5 = 3.25 and -1; the mean's derivatives by Q(s, a)
    # are (2 - 3.25) = -1.25 and (3 - -1) = 4; learning rate 0.1.
    agent = linear_agent(target_update_rate=0.5)
    history = fit_once(agent)
    expected = [[1.0, 2.125], [2.6, -1.0]]
    np.testing.assert_allclose(online_weights(agent), expected, atol=1e-6)
    expected = [[0.75, 0.5625], [2.3, 1.5]]
    np.testing.assert_allclose(target_weights(agent), expected, atol=1e-6)
    np.testing.assert_allclose(
        history["loss"], [(1.25**2 + 4**2) / 2], rtol=1e-6
    )
    np.testing.assert_allclose(history["td_error"], [(1.25 + 4) / 2], rtol=1e-6)
    np.testing.assert_allclose(history["q_value"], [(2 + 3) / 2], rtol=1e-6)


def test_one_step_of_plain_q_learning_by_hand():
    # Target 1 + 0.9 * 3 = 3.7, derivative 2 - 3.7 = -1.7.
    agent = linear_agent(double=False)
    fit_once(agent)
    expected = [[1.0, 2.17], [2.6, -1.0]]
    np.testing.assert_allclose(online_weights(agent), expected, atol=1e-6)


@pytest.mark.parametrize("double, first", [(True, -2.5), (False, -3.4)])
def test_one_weighted_step_by_hand(double, first):
    agent = linear_agent(double=double)
    fit_once(agent, sample_weight=np.array([2.0, 0.5], "float32"))
    expected = [[1.0, 2.0 - 0.1 * first], [3.0 - 0.1 * 2.0, -1.0]]
    np.testing.assert_allclose(online_weights(agent), expected, atol=1e-6)


def test_zero_weights_change_nothing():
    agent = linear_agent()
    fit_once(agent, sample_weight=np.zeros(2, "float32"))
    np.testing.assert_array_equal(online_weights(agent), ONLINE)


def test_weights_of_a_dataset_count_as_those_of_arrays():
    weights = np.array([2.0, 0.5], "float32")

    class Once(keras.utils.PyDataset):
        num_batches = 1

        def __getitem__(self, index):
            return OBSERVATION, TRANSITION, weights

    agent, same = linear_agent(), linear_agent()
    agent.fit(Once(), verbose=0)
    fit_once(same, sample_weight=weights)
    np.testing.assert_array_equal(online_weights(agent), online_weights(same))


def test_hard_update_copies_exactly_every_period():
    agent = linear_agent(target_update_period=3)
    for _ in range(2):
        fit_once(agent)
        np.testing.assert_array_equal(target_weights(agent), TARGET)
    fit_once(agent)
    np.testing.assert_array_equal(target_weights(agent), online_weights(agent))
    copied = target_weights(agent)
    fit_once(agent)
    np.testing.assert_array_equal(target_weights(agent), copied)
    assert int(agent.gradient_steps) == 4


def test_steps_per_execution_takes_the_same_steps():
    def data():
        for _ in range(8):
            yield OBSERVATION, TRANSITION

    single = linear_agent(target_update_period=3)
    several = linear_agent(target_update_period=3, steps_per_execution=4)
    single.fit(data(), steps_per_epoch=8, verbose=0)
    several.fit(data(), steps_per_epoch=8, verbose=0)
    assert int(several.gradient_steps) == 8
    for a, b in zip(single.get_weights(), several.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_target_carries_no_gradient():
    # With rewards 0 and a huge discount a leak would move the weights that
    # only the next observation touches.
    agent = linear_agent()
    observation = np.array([[1.0, 0.0]], "float32")
    transition = {
        "action": np.array([0], "int32"),
        "reward": np.array([0.0], "float32"),
        "discount": np.array([1.0], "float32"),
        "next_observation": np.array([[0.0, 5.0]], "float32"),
    }
    agent.fit(observation, transition, verbose=0)
    np.testing.assert_array_equal(online_weights(agent)[1], ONLINE[1])
    assert online_weights(agent)[0, 0] != ONLINE[0, 0]


def test_compiled_metrics_see_target_and_selected_value():
    agent = linear_agent(metrics=[keras.metrics.MeanAbsoluteError(name="mae")])
    history = fit_once(agent)
    np.testing.assert_allclose(history["mae"], history["td_error"], rtol=1e-6)


def test_metrics_are_means_over_the_epoch():
    agent = linear_agent()
    agent.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    history = agent.fit(
        np.tile(OBSERVATION, (2, 1)),
        {k: np.concatenate([v, v]) for k, v in TRANSITION.items()},
        batch_size=2,
        shuffle=False,
        verbose=0,
    ).history
    # The target moves between the steps; the Q values do not.
    np.testing.assert_allclose(history["q_value"], [2.5], rtol=1e-6)


def test_calling_gives_online_q_values():
    agent = linear_agent()
    np.testing.assert_allclose(agent.predict(OBSERVATION, verbose=0), ONLINE)
    assert agent.num_actions == 2
    assert agent.output_shape == (None, 2)


def test_evaluate_reports_without_learning():
    agent = linear_agent()
    logs = agent.evaluate(OBSERVATION, TRANSITION, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx((1.25**2 + 4**2) / 2)
    np.testing.assert_array_equal(online_weights(agent), ONLINE)
    np.testing.assert_array_equal(target_weights(agent), TARGET)


def test_target_network_is_not_trainable(capsys):
    agent = linear_agent()
    assert [v.path for v in agent.trainable_variables] == [
        v.path for v in agent.q_network.trainable_variables
    ]
    agent.summary()
    assert "Trainable params: 4 " in capsys.readouterr().out
    agent.trainable = False
    agent.trainable = True
    assert len(agent.trainable_variables) == 1


def test_optimizer_holds_no_state_for_the_target_network():
    agent = linear_agent()
    agent.compile(optimizer="adam", loss="mse")
    fit_once(agent)
    shapes = [tuple(v.shape) for v in agent.optimizer.variables]
    assert shapes.count((2, 2)) == 2


def image_agent(**arguments):
    network = keras.Sequential(
        [
            keras.Input((12, 12, 4), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 4, strides=2, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.1),
            rlk.layers.DuelingHead(3, units=8),
        ]
    )
    return rlk.models.DoubleDQN(network, **arguments)


def image_batch(size=16, seed=0):
    generator = np.random.default_rng(seed)
    shape = (size, 12, 12, 4)
    return generator.integers(0, 255, shape, dtype="uint8"), {
        "action": generator.integers(3, size=size).astype("int32"),
        "reward": generator.normal(size=size).astype("float32"),
        "discount": np.full(size, 0.99, "float32"),
        "next_observation": generator.integers(0, 255, shape, dtype="uint8"),
    }


@pytest.mark.parametrize(
    "arguments",
    [
        {"target_update_rate": 0.1, "double": False},
        {"target_update_period": 7},
    ],
)
def test_saved_and_loaded_it_is_the_same(tmp_path, arguments):
    agent = image_agent(**arguments)
    agent.compile(
        optimizer=keras.optimizers.Adam(1e-3), loss=keras.losses.Huber()
    )
    observation, transition = image_batch()
    agent.fit(observation, transition, epochs=3, verbose=0)
    agent.save(tmp_path / "agent.keras")
    loaded = keras.models.load_model(tmp_path / "agent.keras")
    assert type(loaded) is rlk.models.DoubleDQN
    for name in ("target_update_rate", "target_update_period", "double"):
        assert getattr(loaded, name) == getattr(agent, name)
    for ours, theirs in (
        (agent.q_network.weights, loaded.q_network.weights),
        (agent.target_weights, loaded.target_weights),
    ):
        for pair in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(
                *map(keras.ops.convert_to_numpy, pair)
            )
    assert int(loaded.gradient_steps) == int(agent.gradient_steps)
    assert len(agent.optimizer.variables) == len(loaded.optimizer.variables)
    for ours, theirs in zip(
        agent.optimizer.variables, loaded.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(ours), keras.ops.convert_to_numpy(theirs)
        )


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns_and_keeps_float32_weights(policy):
    keras.mixed_precision.set_global_policy(policy)
    try:
        agent = image_agent()
        agent.compile(optimizer="adam", loss=keras.losses.Huber())
        before = agent.q_network.get_weights()
        history = agent.fit(*image_batch(), epochs=2, verbose=0).history
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert np.isfinite(history["loss"]).all()
    assert {v.dtype for v in agent.trainable_variables} == {"float32"}
    after = agent.q_network.get_weights()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    if policy == "mixed_float16":
        assert type(agent.optimizer).__name__ == "LossScaleOptimizer"


def test_compiled_by_xla_it_gives_the_same():
    plain, compiled = linear_agent(), linear_agent()
    compiled.compile(
        optimizer=keras.optimizers.SGD(0.1), loss="mse", jit_compile=True
    )
    fit_once(plain, epochs=3)
    fit_once(compiled, epochs=3)
    np.testing.assert_allclose(
        online_weights(plain), online_weights(compiled), rtol=1e-5
    )


def test_functional_and_subclassed_networks():
    inputs = keras.Input((2,))
    functional = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    agent = rlk.models.DoubleDQN(functional)
    agent.compile(optimizer="sgd", loss="mse")
    fit_once(agent)

    @keras.saving.register_keras_serializable("tests")
    class Subclassed(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = keras.layers.Dense(2)
            self.output_shape = (None, 2)
            self.input_shape = (None, 2)

        def call(self, x):
            return self.dense(x)

    network = Subclassed()
    network(OBSERVATION)
    agent = rlk.models.DoubleDQN(network)
    agent.compile(optimizer="sgd", loss="mse")
    fit_once(agent)
    assert len(agent.trainable_variables) == 2


def test_target_starts_as_a_copy_and_shares_nothing():
    agent = image_agent()
    for online, target in zip(
        agent.q_network.weights, agent.target_weights, strict=True
    ):
        assert online is not target
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(online),
            keras.ops.convert_to_numpy(target),
        )


def test_same_seed_same_weights():
    def train():
        keras.utils.set_random_seed(3)
        agent = image_agent()
        agent.compile(optimizer="adam", loss=keras.losses.Huber())
        agent.fit(*image_batch(), epochs=3, batch_size=8, verbose=0)
        return agent.get_weights()

    for a, b in zip(train(), train(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_train_step_before_compile():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    agent = rlk.models.DoubleDQN(network)
    with pytest.raises(ValueError, match=r"`train_step` needs a compiled mod"):
        agent.train_step((OBSERVATION, TRANSITION))


@pytest.mark.parametrize("key", ["action", "discount", "next_observation"])
def test_batch_without_a_key(key):
    transition = {k: v for k, v in TRANSITION.items() if k != key}
    with pytest.raises(ValueError, match=rf"Received: .* without \['{key}'\]"):
        linear_agent().fit(OBSERVATION, transition, verbose=0)


def test_batch_without_dictionary():
    with pytest.raises(ValueError, match="`y` must be a dictionary with the"):
        linear_agent().fit(OBSERVATION, np.zeros(2), verbose=0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"target_update_rate": 0}, r"Received: target_update_rate=0\."),
        ({"target_update_rate": 1.5}, r"Received: target_update_rate=1\.5\."),
        ({"target_update_period": 0}, r"Received: target_update_period=0\."),
        (
            {"target_update_period": 10, "target_update_rate": 0.1},
            "`target_update_rate` and `target_update_period` exclude each",
        ),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        linear_agent(**arguments)


def test_networks_that_do_not_fit():
    with pytest.raises(ValueError, match="`q_network` must be a built Keras"):
        rlk.models.DoubleDQN(keras.Sequential([keras.layers.Dense(2)]))
    with pytest.raises(ValueError, match="`q_network` must be a built Keras"):
        rlk.models.DoubleDQN("network")
    pixels = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3)]
    )
    with pytest.raises(ValueError, match=r"output shape \(None, 6, 6, 2\)"):
        rlk.models.DoubleDQN(pixels)
    subclassed = keras.Model()
    subclassed.built = True
    with pytest.raises(ValueError, match=r"`keras.Model\(inputs, network"):
        rlk.models.DoubleDQN(subclassed)


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("hidden", [np.nan, np.inf])
def test_observations_behind_an_end_are_not_seen(double, hidden):
    index = np.array([3, 5], "int32")
    results = []
    for value in (0.0, hidden):
        agent = linear_agent(double=double)
        agent.keep_td_errors(2)
        after = TRANSITION["next_observation"].copy()
        after[1] = value
        history = agent.fit(
            OBSERVATION,
            {**TRANSITION, "next_observation": after, "index": index},
            shuffle=False,
            verbose=0,
        ).history
        td_errors = agent.take_td_errors()[1]
        results.append((agent.get_weights(), history, td_errors))
    zeros, others = results
    for ours, theirs in zip(others[0], zeros[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert others[1] == zeros[1]
    # The terminal transition's target is its reward: -1 - 3.
    np.testing.assert_array_equal(others[2], zeros[2])
    assert others[2][1] == -4


def test_nan_that_is_not_behind_an_end_reaches_the_loss():
    agent = linear_agent()
    after = TRANSITION["next_observation"].copy()
    after[0] = np.nan
    history = agent.fit(
        OBSERVATION, {**TRANSITION, "next_observation": after}, verbose=0
    ).history
    assert np.isnan(history["loss"][0])


def short_agent(kernel=1.0, **arguments):
    """One weight at 1 that doesn't learn; its target begins at 0."""
    network = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False),
        ]
    )
    agent = rlk.models.DoubleDQN(network, **arguments)
    network.set_weights([np.full((1, 1), kernel)])
    return agent


def follow(agent, steps):
    agent.compile(keras.optimizers.SGD(0.0), "mse", steps_per_execution=50)
    zeros, ones = np.zeros(steps, "float32"), np.ones((steps, 1), "float32")
    transition = {
        "action": zeros.astype("int32"),
        "reward": zeros,
        "discount": zeros,
        "next_observation": ones,
    }
    agent.fit(ones, transition, batch_size=1, shuffle=False, verbose=0)


@pytest.mark.parametrize("fuse", [False, True])
@pytest.mark.parametrize("policy", ["bfloat16", "float16", "float32"])
def test_the_target_arrives_in_short_precision(
    policy, fuse, tmp_path, monkeypatch
):
    if fuse and keras.backend.backend() != "tensorflow":
        pytest.skip("the update is fused on TensorFlow")
    monkeypatch.setattr(
        "keras_rlkit.models.fused_update.FUSED_FROM_WEIGHTS",
        1 if fuse else 10**9,
    )
    keras.config.set_dtype_policy(policy)
    try:
        agent = short_agent(target_update_rate=0.005)
        follow(agent, 1_000)
        # 1 - 0.995 ** 1000 = 0.99335, and after another thousand 0.99996.
        np.testing.assert_allclose(target_weights(agent), 0.99335, atol=1e-4)
        agent.save(tmp_path / "agent.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    again = keras.saving.load_model(tmp_path / "agent.keras")
    np.testing.assert_array_equal(target_weights(again), target_weights(agent))
    follow(again, 1_000)
    np.testing.assert_allclose(target_weights(again), 0.99996, atol=1e-4)
    # The online weight is what it was meant to be.
    assert again.q_network.weights[0].dtype == policy
    fresh = rlk.models.DoubleDQN.from_config(again.get_config())
    assert fresh.target_weights[0].dtype == "float32"


def test_a_hard_copy_in_short_precision():
    keras.config.set_dtype_policy("bfloat16")
    try:
        agent = short_agent(kernel=0.5, target_update_period=50)
        follow(agent, 50)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(target_weights(agent), [[0.5]])


def test_means_do_not_stand_still_where_keras_floats_are_short():
    # Half of 512 batches have an error of 0, the others 4: 2 on the mean. In
    # bfloat16 the count would stay at 256.
    keras.config.set_floatx("bfloat16")
    try:
        agent = short_agent(kernel=0.0)
        agent.compile(keras.optimizers.SGD(0.0), "mse", steps_per_execution=64)
        reward = np.repeat(np.array([0.0, 4.0], "float32"), 256)
        ones = np.ones((512, 1), "float32")
        transition = {
            "action": np.zeros(512, "int32"),
            "reward": reward,
            "discount": 0 * reward,
            "next_observation": ones,
        }
        history = agent.fit(
            ones, transition, batch_size=1, shuffle=False, verbose=0
        ).history
    finally:
        keras.config.set_floatx("float32")
    np.testing.assert_allclose(history["td_error"], [2.0], rtol=1e-5)


def test_the_loss_is_of_the_values_that_are_given():
    # No second pass: what Keras hands over is what counts.
    agent = linear_agent()
    values = keras.ops.convert_to_tensor([[7.0, 5.0], [4.0, 9.0]])
    loss = agent.compute_loss(OBSERVATION, TRANSITION, values)
    # Targets are 1 + 0.9 * 2.5 and -1; taken were 5 and 4.
    expected = ((3.25 - 5) ** 2 + (-1 - 4) ** 2) / 2
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def contract_arguments():
    network = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(4, "tanh"),
            keras.layers.Dense(2),
        ]
    )
    return {
        "q_network": network,
        "target_update_rate": 1,
        "target_update_period": 3,
        "double": False,
    }


CONTRACT = {
    rlk.models.DoubleDQN: {
        "data": (
            np.tile(OBSERVATION, (4, 1)),
            {name: np.concatenate([a] * 4) for name, a in TRANSITION.items()},
            np.linspace(0.5, 1, 8, dtype="float32"),
        ),
        "arguments": contract_arguments,
        "compile": lambda: {"loss": "huber"},
        "bad": {
            "target_update_rate": [0, 1.5],
            "target_update_period": [0, 2.5],
        },
    }
}
