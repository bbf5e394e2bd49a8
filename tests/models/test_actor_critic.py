import keras
import numpy as np
import pytest

import keras_rlkit as rlk

OBSERVATION = np.eye(2, dtype="float32")
# Probabilities 1/4 and 3/4, then 1/2 and 1/2; values 1 and 3.
LOGITS = np.array([[0.0, np.log(3.0)], [5.0, 5.0]], "float32")
VALUES = np.array([[1.0], [3.0]], "float32")
TARGETS = {
    "action": np.array([1, 0], "int32"),
    "advantage": np.array([2.0, -1.0], "float32"),
    "value_target": np.array([2.0, 0.0], "float32"),
    "value": np.array([1.0, 3.0], "float32"),
    "log_probability": np.log([0.5, 0.5]).astype("float32"),
}
POLICY_LOSS = (2 * np.log(4 / 3) - np.log(2.0)) / 2
VALUE_LOSS = (0.5 * 1**2 + 0.5 * 3**2) / 2
FIRST_ENTROPY = np.log(4) - 0.75 * np.log(3)
ENTROPY = (FIRST_ENTROPY + np.log(2)) / 2


def table(weights):
    """A network that gives one row of its weights for each observation."""
    weights = np.asarray(weights, "float32")
    network = keras.Sequential(
        [
            keras.Input((len(weights),)),
            keras.layers.Dense(weights.shape[1], use_bias=False),
        ]
    )
    network.set_weights([weights])
    return network


def new_agent(logits=LOGITS, optimizer=None, **arguments):
    agent = rlk.models.ActorCritic(table(logits), table(VALUES), **arguments)
    agent.compile(optimizer or keras.optimizers.SGD(1.0))
    return agent


def fit(agent, targets=TARGETS, weight=None, epochs=1, batch_size=2):
    return agent.fit(
        OBSERVATION,
        targets,
        sample_weight=weight,
        batch_size=batch_size,
        epochs=epochs,
        shuffle=False,
        verbose=0,
    ).history


def moved(agent):
    """Gradients: what a step of SGD with rate 1 took from the weights."""
    policy, value = agent.get_weights()
    return LOGITS - policy, VALUES - value


def test_one_step_of_a2c_by_hand():
    agent = new_agent(value_weight=0.5)
    history = fit(agent)
    policy, value = moved(agent)
    # Half of advantage * (probabilities - one-hot); half of 0.5 * (v - target).
    np.testing.assert_allclose(
        policy, [[0.25, -0.25], [0.25, -0.25]], atol=1e-5
    )
    np.testing.assert_allclose(value, [[-0.25], [0.75]], atol=1e-5)
    np.testing.assert_allclose(history["policy_loss"], [POLICY_LOSS], rtol=1e-5)
    np.testing.assert_allclose(history["value_loss"], [VALUE_LOSS], rtol=1e-5)
    np.testing.assert_allclose(history["entropy"], [ENTROPY], rtol=1e-5)
    np.testing.assert_allclose(
        history["loss"], [POLICY_LOSS + 0.5 * VALUE_LOSS], rtol=1e-5
    )
    assert "kl" not in history


def test_entropy_bonus_by_hand():
    agent = new_agent(entropy_weight=0.5)
    targets = {**TARGETS, "advantage": np.zeros(2, "float32")}
    history = fit(agent, targets)
    row = 0.5 / 2 * 0.25 * (np.log(0.25) + FIRST_ENTROPY)
    np.testing.assert_allclose(
        moved(agent)[0], [[row, -row], [0.0, 0.0]], atol=1e-6
    )
    np.testing.assert_allclose(
        history["loss"], [0.5 * VALUE_LOSS - 0.5 * ENTROPY], rtol=1e-5
    )


def test_one_step_of_ppo_by_hand():
    # Ratio 1.5 with advantage 2 is clipped: no gradient. Ratio 1 is not.
    agent = new_agent(clip=0.2)
    history = fit(agent)
    np.testing.assert_allclose(
        moved(agent)[0], [[0.0, 0.0], [0.25, -0.25]], atol=1e-5
    )
    np.testing.assert_allclose(
        history["policy_loss"], [(-1.2 * 2 + 1.0) / 2], rtol=1e-5
    )
    np.testing.assert_allclose(
        history["kl"], [(0.5 - np.log(1.5)) / 2], rtol=1e-4
    )


def test_entries_may_be_of_float64():
    agent = new_agent(clip=0.2)
    as_float64 = {
        key: value.astype("float64") if value.dtype == "float32" else value
        for key, value in TARGETS.items()
    }
    agent.train_on_batch(OBSERVATION, as_float64)
    # As in float32, above.
    np.testing.assert_allclose(
        moved(agent)[0], [[0.0, 0.0], [0.25, -0.25]], atol=1e-5
    )


def test_value_clipping_by_hand():
    # Values 1 and 3 were -1 and 3.2 at collecting. The first has moved 2
    # towards its target 2, of which 0.5 count: no gradient. The second is
    # within the clip.
    targets = {**TARGETS, "value": np.array([-1.0, 3.2], "float32")}
    agent = new_agent(value_clip=0.5, value_weight=1.0)
    history = fit(agent, targets)
    np.testing.assert_allclose(moved(agent)[1], [[0.0], [1.5]], atol=1e-5)
    np.testing.assert_allclose(
        history["value_loss"], [(0.5 * 2.5**2 + 0.5 * 3**2) / 2], rtol=1e-5
    )


@pytest.mark.parametrize("as_data", [False, True])
def test_sample_weights_multiply_every_term(as_data):
    agent = new_agent(entropy_weight=0.5)
    weight = np.array([2.0, 0.0], "float32")
    if as_data:

        class Once(keras.utils.PyDataset):
            num_batches = 1

            def __getitem__(self, index):
                return OBSERVATION, TARGETS, weight

        history = agent.fit(Once(), verbose=0).history
    else:
        history = fit(agent, weight=weight)
    policy, value = moved(agent)
    np.testing.assert_array_equal(policy[1], [0.0, 0.0])
    np.testing.assert_array_equal(value[1], [0.0])
    # The first sample alone: a mean over it.
    np.testing.assert_allclose(history["value_loss"], [0.5], rtol=1e-5)
    np.testing.assert_allclose(history["entropy"], [FIRST_ENTROPY], rtol=1e-5)
    np.testing.assert_allclose(
        history["policy_loss"], [2 * np.log(4 / 3)], rtol=1e-5
    )


def test_gaussian_step_by_hand():
    # One part: means 0 and 1, scales 1 and 2; actions 2 and 1.
    output = np.array([[0.0, 0.0], [1.0, np.log(2.0)]], "float32")
    agent = new_agent(output, distribution="gaussian")
    action = np.array([[2.0], [1.0]], "float32")
    history = fit(agent, {**TARGETS, "action": action})
    # Half of -advantage * ((a - m) / s^2, ((a - m) / s)^2 - 1).
    expected = [[-2.0, -3.0], [0.0, -0.5]]
    np.testing.assert_allclose(
        output - agent.get_weights()[0], expected, atol=1e-5
    )
    half = 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(
        history["policy_loss"],
        [(2 * (2 + half) - (np.log(2) + half)) / 2],
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        history["entropy"], [half + 0.5 + np.log(2) / 2], rtol=1e-5
    )


def test_target_kl_keeps_everything_as_it_was():
    # Before the first step nothing has moved, but the targets say that the
    # ratio is 1.5: a divergence of 0.047 on average, the limit is 1.5 times
    # the target.
    kl = (0.5 - np.log(1.5)) / 2
    for target, stops in ((kl / 1.5 * 1.01, False), (kl / 1.5 * 0.99, True)):
        agent = new_agent(
            clip=0.2,
            target_kl=target,
            optimizer=keras.optimizers.Adam(0.1),
        )
        history = fit(agent)
        policy, value = moved(agent)
        assert (np.abs(value).max() == 0) == stops
        assert (np.abs(policy).max() == 0) == stops
        assert int(agent.optimizer.iterations) == (0 if stops else 1)
        np.testing.assert_allclose(history["largest_kl"], [kl], rtol=1e-4)
        assert history["stopped"] == [float(stops)]


def test_target_kl_stops_the_rest_of_the_epoch_and_no_more():
    # Batches of one sample: the first is fine, the second far away, the third
    # fine again. Momentum must not move anything after the second.
    far = np.log(np.array([0.75, 0.01, 0.75, 0.75], "float32"))
    targets = {
        "action": np.array([1, 0, 1, 1], "int32"),
        "advantage": np.zeros(4, "float32"),
        "value_target": np.zeros(4, "float32"),
        "value": np.zeros(4, "float32"),
        "log_probability": far,
    }
    agent = new_agent(
        clip=0.2, target_kl=0.1, optimizer=keras.optimizers.Adam(0.1)
    )
    values = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            weights = self.model.value_network.get_weights()[0]
            values.append(float(weights[0, 0]))

    history = agent.fit(
        np.tile(OBSERVATION[:1], (4, 1)),
        targets,
        batch_size=1,
        epochs=2,
        callbacks=[Watch()],
        shuffle=False,
        verbose=0,
    ).history
    # All but the first of each epoch.
    assert history["stopped"] == [0.75, 0.75]
    first, second = values[:4], values[4:]
    assert first[0] < 1 and first[1:] == first[:1] * 3
    assert second[0] < first[0] and second[1:] == second[:1] * 3
    assert int(agent.optimizer.iterations) == 2


def shared_network(form):
    inputs = keras.Input((2,))
    policy = keras.layers.Dense(3)(inputs)
    value = keras.layers.Dense(1)(inputs)
    outputs = {"policy": policy, "value": value}
    return keras.Model(inputs, outputs if form == "dict" else [policy, value])


@pytest.mark.parametrize("form", ["dict", "list"])
def test_one_network_with_two_outputs(form):
    agent = rlk.models.ActorCritic(shared_network(form))
    agent.compile("adam")
    output = agent.predict(OBSERVATION, verbose=0)
    assert output["policy"].shape == (2, 3) and output["value"].shape == (2,)
    assert agent.output_shape == {"policy": (None, 3), "value": (None,)}
    before = agent.get_weights()
    fit(agent)
    changed = [
        (a != b).any() for a, b in zip(before, agent.get_weights(), strict=True)
    ]
    assert all(changed)


def test_policies_act_with_it():
    agent = new_agent()
    actions = rlk.policies.Greedy()(agent, OBSERVATION, 0)
    np.testing.assert_array_equal(actions, [1, 0])


@pytest.mark.parametrize("rows", [1, 5])
def test_evaluate_actions(rows):
    agent = new_agent(clip=0.2)
    observation = np.tile(OBSERVATION[:1], (rows, 1))
    value, log_probability = agent.evaluate_actions(
        observation, np.ones(rows, "int32")
    )
    np.testing.assert_allclose(value, np.ones(rows))
    np.testing.assert_allclose(
        log_probability, np.full(rows, np.log(0.75)), rtol=1e-5
    )
    assert (
        new_agent().evaluate_actions(observation, np.ones(rows, int))[1] is None
    )


@pytest.mark.parametrize("distribution", ["categorical", "gaussian"])
def test_saving(tmp_path, distribution):
    agent = new_agent(
        distribution=distribution,
        clip=0.3,
        value_weight=0.7,
        entropy_weight=0.01,
        value_clip=0.4,
        target_kl=0.02,
        optimizer=keras.optimizers.Adam(0.1),
    )
    targets = TARGETS
    if distribution == "gaussian":
        targets = {**TARGETS, "action": np.ones((2, 1), "float32")}
    targets = {**targets, "log_probability": np.full(2, -1.0, "float32")}
    fit(agent, targets)
    agent.save(tmp_path / "agent.keras")
    loaded = keras.saving.load_model(tmp_path / "agent.keras")
    for name in (
        "distribution",
        "clip",
        "value_weight",
        "entropy_weight",
        "value_clip",
        "target_kl",
    ):
        assert loaded.get_config()[name] == agent.get_config()[name]
    fit(agent, targets)
    fit(loaded, targets)
    for a, b in zip(agent.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    shared = rlk.models.ActorCritic(shared_network("dict"))
    shared.save(tmp_path / "shared.keras")
    loaded = keras.saving.load_model(tmp_path / "shared.keras")
    np.testing.assert_allclose(
        loaded.predict(OBSERVATION, verbose=0)["policy"],
        shared.predict(OBSERVATION, verbose=0)["policy"],
        rtol=1e-6,
    )


def test_mixed_precision():
    inputs = keras.Input((2,))
    dense = keras.layers.Dense(8, "relu", dtype="mixed_bfloat16")(inputs)
    outputs = {
        "policy": keras.layers.Dense(2, dtype="mixed_bfloat16")(dense),
        "value": keras.layers.Dense(1, dtype="mixed_bfloat16")(dense),
    }
    agent = rlk.models.ActorCritic(keras.Model(inputs, outputs), clip=0.2)
    agent.compile("adam")
    assert np.isfinite(fit(agent)["loss"]).all()
    assert agent.evaluate_actions(OBSERVATION, TARGETS["action"])[1].shape == (
        2,
    )


def test_bad_arguments_raise():
    with pytest.raises(ValueError, match="`policy_network` must be a built"):
        rlk.models.ActorCritic(keras.Sequential([keras.layers.Dense(2)]))
    with pytest.raises(ValueError, match=r"`policy_network` must give .*None"):
        rlk.models.ActorCritic(table(LOGITS))
    with pytest.raises(ValueError, match=r"must have one unit.*\(None, 2\)"):
        rlk.models.ActorCritic(table(LOGITS), table(LOGITS))
    with pytest.raises(ValueError, match="must give as many log-scales"):
        rlk.models.ActorCritic(
            table(np.ones((2, 3))), table(VALUES), distribution="gaussian"
        )
    with pytest.raises(ValueError, match="`target_kl` needs `clip`"):
        new_agent(target_kl=0.1)
    with pytest.raises(ValueError, match="`distribution` must be one of"):
        new_agent(distribution="beta")
    for name in ("clip", "value_weight", "entropy_weight", "value_clip"):
        with pytest.raises(ValueError, match=f"`{name}` must be a positive"):
            new_agent(**{name: -1})
    for name in ("loss", "metrics"):
        with pytest.raises(ValueError, match=f"`{name}` is not used"):
            new_agent().compile("adam", **{name: ["mse"]})


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs[:, :2]


def test_subclassed_networks_tell_their_shapes_in_a_functional_model():
    network = Subclassed()
    network(np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"`keras.Model\(inputs, network"):
        rlk.models.ActorCritic(network)
    inputs = keras.Input((3,))
    policy = keras.Model(inputs, network(inputs))
    value = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    assert rlk.models.ActorCritic(policy, value).output_shape == {
        "policy": (None, 2),
        "value": (None,),
    }


def test_batch_without_advantages_raises():
    targets = {"action": TARGETS["action"], "value": TARGETS["value"]}
    with pytest.raises(ValueError, match="`y` must be a dictionary .*without"):
        fit(new_agent(), targets)


def contract_arguments():
    return {
        "policy_network": table(np.ones((2, 4)) / 3),
        "value_network": table(VALUES),
        "distribution": "gaussian",
        "clip": 0.3,
        "value_weight": 0.7,
        "entropy_weight": 0.1,
        "value_clip": 0.5,
        "target_kl": 10.0,
    }


CONTRACT = {
    rlk.models.ActorCritic: {
        "data": (
            np.tile(OBSERVATION, (4, 1)),
            {
                **{name: np.tile(a, 4) for name, a in TARGETS.items()},
                "action": np.random.default_rng(0)
                .normal(size=(8, 2))
                .astype("float32"),
                "log_probability": np.full(8, -3, "float32"),
            },
            np.linspace(0.5, 1, 8, dtype="float32"),
        ),
        "arguments": contract_arguments,
        "bad": {
            "distribution": ["beta"],
            "clip": [0, -0.2],
            "value_weight": [0],
            "entropy_weight": [-1],
            "value_clip": [-1],
            "target_kl": [-1],
        },
    }
}
