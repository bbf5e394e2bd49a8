"""Regularisers and `add_loss` of an agent's networks, as in any Keras model."""

import keras
import numpy as np
import pytest

import keras_rlkit as rlk

RATE, KERNEL, ACTIVITY = 0.1, 0.5, 0.25
OBSERVATION = np.eye(2, dtype="float32")
POLICY = np.array([[1.0, -2.0], [0.5, 3.0]], "float32")
VALUE = np.array([[2.0], [-1.0]], "float32")
ZEROS = np.zeros(2, "float32")
# The data ask for nothing: what is left of the loss are the regularisers.
NOTHING = {
    "action": np.zeros(2, "int32"),
    "advantage": ZEROS,
    "value_target": VALUE[:, 0],
    "value": ZEROS,
    "log_probability": np.full(2, np.log(0.5), "float32"),
}


@keras.saving.register_keras_serializable("test_added_losses")
class PenalizedDense(keras.layers.Dense):
    """Asks for a small mean square of its outputs by `add_loss`."""

    def call(self, inputs):
        outputs = super().call(inputs)
        self.add_loss(ACTIVITY * keras.ops.mean(keras.ops.square(outputs)))
        return outputs


def table(weights, **arguments):
    layer = keras.layers.Dense(weights.shape[1], use_bias=False, **arguments)
    network = keras.Sequential([keras.Input((2,)), layer])
    network.set_weights([weights])
    return network


def regularised(weights):
    return table(
        weights,
        kernel_regularizer=keras.regularizers.L2(KERNEL),
        activity_regularizer=keras.regularizers.L2(ACTIVITY),
    )


def step(agent, targets=NOTHING, optimizer=None, **arguments):
    agent.compile(optimizer or keras.optimizers.SGD(RATE), **arguments)
    return agent.fit(
        OBSERVATION, targets, batch_size=2, shuffle=False, verbose=0
    ).history


def expected_losses(*weights):
    # Each observation picks a row, and Keras divides activities by the batch.
    return sum((KERNEL + ACTIVITY / 2) * np.sum(w**2) for w in weights)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("clip", [None, 0.2])
def test_regularisers_of_actor_and_critic_by_hand(clip, jit_compile):
    agent = rlk.models.ActorCritic(
        regularised(POLICY), regularised(VALUE), clip=clip
    )
    history = step(agent, jit_compile=jit_compile)
    shrink = 1 - RATE * (2 * KERNEL + ACTIVITY)
    new_policy, new_value = agent.get_weights()
    np.testing.assert_allclose(new_policy, shrink * POLICY, rtol=1e-5)
    np.testing.assert_allclose(new_value, shrink * VALUE, rtol=1e-5)
    np.testing.assert_allclose(
        history["loss"], [expected_losses(POLICY, VALUE)], rtol=1e-5
    )
    # The terms of its own stay what they are.
    np.testing.assert_allclose(history["value_loss"], [0.0], atol=1e-6)


def test_evaluate_counts_them_too():
    agent = rlk.models.ActorCritic(regularised(POLICY), regularised(VALUE))
    agent.compile()
    logs = agent.evaluate(OBSERVATION, NOTHING, verbose=0, return_dict=True)
    np.testing.assert_allclose(
        logs["loss"], expected_losses(POLICY, VALUE), rtol=1e-5
    )


def test_a_shared_layer_is_regularised_once():
    inputs = keras.Input((2,))
    trunk = keras.layers.Dense(
        2, use_bias=False, kernel_regularizer=keras.regularizers.L2(KERNEL)
    )
    features = trunk(inputs)
    trunk.set_weights([POLICY])
    agent = rlk.models.ActorCritic(
        keras.Model(inputs, keras.layers.Dense(2)(features)),
        keras.Model(inputs, keras.layers.Dense(1)(features)),
    )
    agent.compile()
    logs = agent.evaluate(OBSERVATION, NOTHING, verbose=0, return_dict=True)
    by_itself = logs["policy_loss"] + 0.5 * logs["value_loss"]
    np.testing.assert_allclose(
        logs["loss"] - by_itself, KERNEL * np.sum(POLICY**2), rtol=1e-5
    )


def test_add_loss_of_a_layer_by_hand():
    layer = PenalizedDense(1, use_bias=False)
    value = keras.Sequential([keras.Input((2,)), layer])
    value.set_weights([VALUE])
    agent = rlk.models.ActorCritic(table(POLICY), value)
    history = step(agent)
    np.testing.assert_allclose(
        history["loss"], [ACTIVITY * np.mean(VALUE**2)], rtol=1e-5
    )
    # The mean is over two outputs.
    np.testing.assert_allclose(
        value.get_weights()[0], (1 - RATE * ACTIVITY) * VALUE, rtol=1e-5
    )


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_regularisers_in_mixed_precision(dtype):
    policy, value = (
        table(
            weights,
            dtype=dtype,
            kernel_regularizer=keras.regularizers.L2(KERNEL),
            activity_regularizer=keras.regularizers.L2(ACTIVITY),
        )
        for weights in (POLICY, VALUE)
    )
    agent = rlk.models.ActorCritic(policy, value, clip=0.2)
    optimizer = keras.optimizers.SGD(RATE)
    if dtype == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(
            optimizer, initial_scale=256.0
        )
    history = step(agent, optimizer=optimizer)
    shrink = 1 - RATE * (2 * KERNEL + ACTIVITY)
    np.testing.assert_allclose(agent.get_weights()[0], shrink * POLICY, 2e-2)
    np.testing.assert_allclose(
        history["loss"], [expected_losses(POLICY, VALUE)], rtol=2e-2
    )


TRANSITION = {
    "action": np.array([1, 0], "int32"),
    "reward": np.array([1.0, -1.0], "float32"),
    "discount": np.zeros(2, "float32"),
    # What the networks say there is nobody's activity: another one by far.
    "next_observation": np.full((2, 2), 100.0, "float32"),
}


def q_agent(network):
    return rlk.models.DoubleDQN(network, target_update_rate=0.5)


def test_regularisers_of_a_q_network_by_hand():
    agent = q_agent(regularised(POLICY))
    history = step(agent, TRANSITION, loss="mse")
    # Q(s, a) are -2 and 0.5, their targets the rewards: errors -3 and 1.5.
    data = np.array([[0.0, -3.0], [1.5, 0.0]])
    gradient = data + (2 * KERNEL + ACTIVITY) * POLICY
    np.testing.assert_allclose(
        agent.q_network.get_weights()[0], POLICY - RATE * gradient, rtol=1e-5
    )
    np.testing.assert_allclose(
        history["loss"],
        [(3**2 + 1.5**2) / 2 + expected_losses(POLICY)],
        rtol=1e-5,
    )
    np.testing.assert_allclose(history["td_error"], [2.25], rtol=1e-5)


def test_evaluate_of_a_q_network_counts_them_too():
    agent = q_agent(regularised(POLICY))
    agent.compile(loss="mse")
    logs = agent.evaluate(OBSERVATION, TRANSITION, verbose=0, return_dict=True)
    np.testing.assert_allclose(
        logs["loss"],
        (3**2 + 1.5**2) / 2 + expected_losses(POLICY),
        rtol=1e-5,
    )


def test_two_steps_in_one_execution_are_two_steps():
    one_by_one, together = (q_agent(regularised(POLICY)) for _ in range(2))
    for _ in range(2):
        step(one_by_one, TRANSITION, loss="mse")
    together.compile(
        keras.optimizers.SGD(RATE), loss="mse", steps_per_execution=2
    )
    twice = {key: np.tile(x.T, 2).T for key, x in TRANSITION.items()}
    together.fit(
        np.tile(OBSERVATION, (2, 1)),
        twice,
        batch_size=2,
        shuffle=False,
        verbose=0,
    )
    for one, two in zip(
        one_by_one.get_weights(), together.get_weights(), strict=True
    ):
        np.testing.assert_allclose(two, one, rtol=1e-5)
