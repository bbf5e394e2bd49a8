import json
import pathlib

import keras
import numpy as np
import pytest

import keras_rlkit as rlk

CASES = json.loads(
    pathlib.Path(__file__).with_name("rlax_ops.json").read_text()
)["cases"]

REWARDS = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], "float32")
DISCOUNTS = np.array([[0.5, 0.5, 0.5], [0.5, 0.0, 0.5]], "float32")
VALUES = np.array([[4.0, 6.0, 8.0, 10.0]] * 2, "float32")
# One-step errors of row 0: 1 + 3 - 4 = 0, 2 + 4 - 6 = 0, 3 + 5 - 8 = 0 ...
# which says nothing, so row 1 terminates at its second step: 0, -4, 0.
# With lambda 0.5 its first advantage is 0 + 0.5 * 0.5 * -4 = -1.
EXPECTED = np.array([[0.0, 0.0, 0.0], [-1.0, -4.0, 0.0]])


def estimate(rewards, discounts, values):
    return rlk.ops.generalized_advantage_estimate(
        rewards, discounts, values, 0.5
    )


def advantages_by_sum(rewards, discounts, values, lambda_):
    """The sum of equation 16, every term written out."""
    num_rows, num_steps = rewards.shape
    result = np.zeros_like(rewards)
    for row in range(num_rows):
        for start in range(num_steps):
            factor = 1.0
            for step in range(start, num_steps):
                error = (
                    rewards[row, step]
                    + discounts[row, step] * values[row, step + 1]
                    - values[row, step]
                )
                result[row, start] += factor * error
                factor *= discounts[row, step] * lambda_
    return result


def test_agrees_with_rlax():
    case = CASES["generalized_advantage_estimate"]
    inputs = dict(case["inputs"])
    lambda_ = inputs.pop("lambda_")
    inputs = {key: np.array(value) for key, value in inputs.items()}
    result = rlk.ops.generalized_advantage_estimate(**inputs, lambda_=lambda_)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    np.testing.assert_allclose(np.array(result), case["output"], atol=1e-5)


def test_by_hand():
    np.testing.assert_allclose(
        np.array(estimate(REWARDS, DISCOUNTS, VALUES)), EXPECTED
    )
    # The last value counts: 3 + 0.5 * 14 - 8 = 2, then a quarter of each.
    higher = VALUES + np.array([0, 0, 0, 4], "float32")
    np.testing.assert_allclose(
        np.array(estimate(REWARDS, DISCOUNTS, higher))[0], [0.125, 0.5, 2.0]
    )


@pytest.mark.parametrize("lambda_", [0, 0.3, 1])
def test_random_rows_agree_with_the_written_out_sum(lambda_):
    generator = np.random.default_rng(3)
    rewards = generator.normal(size=(4, 13))
    discounts = np.where(generator.random((4, 13)) < 0.2, 0.0, 0.9)
    values = generator.normal(size=(4, 14))
    np.testing.assert_allclose(
        np.array(
            rlk.ops.generalized_advantage_estimate(
                rewards, discounts, values, lambda_
            )
        ),
        advantages_by_sum(rewards, discounts, values, lambda_),
        rtol=1e-5,
        atol=1e-6,
    )


def test_values_plus_advantages_are_lambda_returns():
    generator = np.random.default_rng(4)
    rewards = generator.normal(size=(3, 7))
    discounts = np.full((3, 7), 0.9)
    values = generator.normal(size=(3, 8))
    advantages = rlk.ops.generalized_advantage_estimate(
        rewards, discounts, values, 0.8
    )
    np.testing.assert_allclose(
        np.array(advantages) + values[:, :-1],
        np.array(
            rlk.ops.lambda_returns(rewards, discounts, values[:, 1:], 0.8)
        ),
        rtol=1e-4,
        atol=1e-5,
    )


def test_traced_call_with_unknown_batch_size():
    if keras.backend.backend() == "jax":
        import jax

        traced = jax.jit(estimate)
    else:
        import tensorflow as tf

        traced = tf.function(
            estimate,
            input_signature=[
                tf.TensorSpec([None, 3]),
                tf.TensorSpec([None, 3]),
                tf.TensorSpec([None, 4]),
            ],
        )
    np.testing.assert_allclose(
        np.array(traced(REWARDS, DISCOUNTS, VALUES)), EXPECTED
    )


def test_symbolic_call():
    inputs = [keras.Input((3,)), keras.Input((3,)), keras.Input((4,))]
    outputs = estimate(*inputs)
    assert outputs.shape == (None, 3)
    function = keras.Function(inputs, outputs)
    np.testing.assert_allclose(
        np.array(function([REWARDS, DISCOUNTS, VALUES])), EXPECTED
    )


def test_no_gradient_flows_into_advantages():
    if keras.backend.backend() == "jax":
        import jax

        result = jax.grad(lambda v: estimate(REWARDS, DISCOUNTS, v).sum())(
            VALUES
        )
    else:
        import tensorflow as tf

        values = tf.constant(VALUES)
        with tf.GradientTape() as tape:
            tape.watch(values)
            total = tf.reduce_sum(estimate(REWARDS, DISCOUNTS, values))
        result = tape.gradient(
            total, values, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
    np.testing.assert_array_equal(np.array(result), 0 * VALUES)


def test_wrong_shapes_raise():
    with pytest.raises(
        ValueError,
        match=r"`values` must have one entry more than `rewards`, "
        r"\[B, T \+ 1\]. Received: values.shape=\(2, 3\), "
        r"rewards.shape=\(2, 3\). Append the value",
    ):
        estimate(REWARDS, DISCOUNTS, VALUES[:, :-1])
    with pytest.raises(ValueError, match="`values` must have size 2 along"):
        estimate(REWARDS, DISCOUNTS, VALUES[:1])
    with pytest.raises(ValueError, match=r"`rewards` must have shape \[B, T\]"):
        estimate(REWARDS[0], DISCOUNTS, VALUES)
    with pytest.raises(ValueError, match="`discounts` must have size 3 along"):
        estimate(REWARDS, DISCOUNTS[:, :1], VALUES)
    with pytest.raises(ValueError, match="must have a known number of steps"):
        estimate(*[keras.Input((None,))] * 3)


def test_wrong_lambda_raises():
    with pytest.raises(ValueError, match=r"`lambda_` must be a number in \[0"):
        rlk.ops.generalized_advantage_estimate(REWARDS, DISCOUNTS, VALUES, -1)


@pytest.mark.parametrize("hidden", [np.nan, np.inf, -np.inf])
def test_nothing_behind_a_termination_is_seen(hidden):
    # Errors 1 + 0.9 * 4 - 2 = 2.6 and 1 - 4 = -3; 2.6 + 0.5 * 0.9 * -3 = 1.25.
    advantages = estimate([[1.0, 1.0]], [[0.9, 0.0]], [[2.0, 4.0, hidden]])
    np.testing.assert_allclose(np.array(advantages), [[1.25, -3.0]], rtol=1e-5)
    # The next episode begins with that value, and shows it.
    advantages = np.array(
        estimate(
            [[1.0, 1.0, 1.0]], [[0.9, 0.0, 0.9]], [[2.0, 4.0, hidden, 0.0]]
        )
    )
    np.testing.assert_allclose(advantages[:, :2], [[1.25, -3.0]], rtol=1e-5)
    assert not np.isfinite(advantages[0, 2])
