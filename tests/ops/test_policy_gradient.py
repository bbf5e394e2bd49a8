import json
import pathlib

import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from tests.ops.gradients import gradient

CASES = json.loads(
    pathlib.Path(__file__).with_name("rlax_ops.json").read_text()
)["cases"]

# Probabilities 1/4 and 3/4, then 1/2 and 1/2.
LOGITS = np.array([[0.0, np.log(3.0)], [5.0, 5.0]], "float32")
ACTION = np.array([1, 0], "int64")
ADVANTAGE = np.array([2.0, -1.0], "float32")
LOSS = [2 * np.log(4 / 3), -np.log(2.0)]
ENTROPY = [np.log(4) - 0.75 * np.log(3), np.log(2)]


def golden(name):
    case = CASES[name]
    inputs = {
        key: np.array(value) if isinstance(value, list) else value
        for key, value in case["inputs"].items()
    }
    return inputs, case["output"]


def test_policy_gradient_loss_agrees_with_rlax():
    inputs, output = golden("policy_gradient_loss")
    loss = rlk.ops.policy_gradient_loss(**inputs)
    assert loss.shape == (7,)
    np.testing.assert_allclose(np.array(loss).mean(), output, atol=1e-5)


def test_policy_gradient_agrees_with_rlax():
    inputs, output = golden("policy_gradient_loss_gradient")
    logits = inputs.pop("logits")
    result = gradient(
        lambda x: keras.ops.mean(rlk.ops.policy_gradient_loss(x, **inputs)),
        logits,
    )
    np.testing.assert_allclose(result, output, atol=1e-5)


def test_entropy_agrees_with_rlax():
    inputs, output = golden("entropy_loss")
    result = rlk.ops.entropy(**inputs)
    np.testing.assert_allclose(-np.array(result).mean(), output, atol=1e-5)


def test_clipped_surrogate_loss_agrees_with_rlax():
    inputs, output = golden("clipped_surrogate_loss")
    loss = rlk.ops.clipped_surrogate_loss(**inputs)
    assert loss.shape == (7,)
    np.testing.assert_allclose(np.array(loss).mean(), output, atol=1e-5)


def test_policy_gradient_loss_by_hand():
    loss = rlk.ops.policy_gradient_loss(LOGITS, ACTION, ADVANTAGE)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    np.testing.assert_allclose(np.array(loss), LOSS, rtol=1e-6)


def test_policy_gradient_sees_which_action_was_taken():
    # By hand: advantage * (probabilities - one-hot of the action).
    result = gradient(
        lambda x: keras.ops.sum(
            rlk.ops.policy_gradient_loss(x, ACTION, ADVANTAGE)
        ),
        LOGITS,
    )
    np.testing.assert_allclose(
        result, [[2 * 0.25, 2 * -0.25], [0.5, -0.5]], rtol=1e-5
    )


def test_advantage_carries_no_gradient():
    for function in (
        lambda a: keras.ops.sum(
            rlk.ops.policy_gradient_loss(LOGITS, ACTION, a)
        ),
        lambda a: keras.ops.sum(
            rlk.ops.clipped_surrogate_loss(np.ones(2, "float32"), a, 0.2)
        ),
    ):
        np.testing.assert_array_equal(gradient(function, ADVANTAGE), [0, 0])


def test_huge_logits_stay_finite():
    logits = np.array([[1e4, -1e4]], "float32")
    loss = rlk.ops.policy_gradient_loss(logits, [1], [1.0])
    np.testing.assert_allclose(np.array(loss), [2e4])
    np.testing.assert_allclose(np.array(rlk.ops.entropy(logits)), [0.0])
    result = gradient(
        lambda x: keras.ops.sum(rlk.ops.policy_gradient_loss(x, [1], [1.0])),
        logits,
    )
    np.testing.assert_allclose(result, [[1.0, -1.0]])


def test_forbidden_actions_do_no_harm():
    logits = np.array([[0.0, -np.inf, np.log(3.0)]], "float32")
    loss = rlk.ops.policy_gradient_loss(logits, [2], [1.0])
    np.testing.assert_allclose(np.array(loss), [np.log(4 / 3)], rtol=1e-6)
    np.testing.assert_allclose(
        np.array(rlk.ops.entropy(logits)), ENTROPY[:1], rtol=1e-6
    )
    for function, expected in (
        (
            lambda x: keras.ops.sum(
                rlk.ops.policy_gradient_loss(x, [2], [1.0])
            ),
            [[0.25, 0.0, -0.25]],
        ),
        # By hand: -p_i * (log p_i + entropy).
        (
            lambda x: keras.ops.sum(rlk.ops.entropy(x)),
            [
                [
                    0.25 * (np.log(4) - ENTROPY[0]),
                    0.0,
                    -0.75 * (np.log(0.75) + ENTROPY[0]),
                ]
            ],
        ),
    ):
        np.testing.assert_allclose(
            gradient(function, logits), expected, rtol=1e-5, atol=1e-7
        )


def test_entropy_by_hand():
    result = rlk.ops.entropy(LOGITS)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    np.testing.assert_allclose(np.array(result), ENTROPY, rtol=1e-6)


def test_clipped_surrogate_loss_by_hand():
    # Up to 1.2 is rewarded, down to 0.8 too; the other side of the clip costs
    # in full.
    ratio = [1.5, 0.5, 1.5, 0.5, 1.1]
    advantage = [1.0, 1.0, -1.0, -1.0, 2.0]
    loss = rlk.ops.clipped_surrogate_loss(ratio, advantage, 0.2)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    np.testing.assert_allclose(
        np.array(loss), [-1.2, -0.5, 1.5, 0.8, -2.2], rtol=1e-6
    )
    result = gradient(
        lambda x: keras.ops.sum(
            rlk.ops.clipped_surrogate_loss(x, advantage, 0.2)
        ),
        ratio,
    )
    np.testing.assert_allclose(result, [0.0, -1.0, 1.0, 0.0, -2.0])


def test_traced_calls():
    functions = (
        rlk.ops.policy_gradient_loss,
        lambda logits, action, advantage: rlk.ops.entropy(logits),
        lambda logits, action, advantage: rlk.ops.clipped_surrogate_loss(
            logits[:, 1], advantage, 0.2
        ),
    )
    expected = (LOSS, ENTROPY, [-2 * min(np.log(3), 1.2), 5.0])
    for function, numbers in zip(functions, expected):
        if keras.backend.backend() == "jax":
            import jax

            traced = jax.jit(function)
        else:
            import tensorflow as tf

            traced = tf.function(
                function,
                input_signature=[
                    tf.TensorSpec([None, 2]),
                    tf.TensorSpec([None], "int64"),
                    tf.TensorSpec([None]),
                ],
            )
        np.testing.assert_allclose(
            np.array(traced(LOGITS, ACTION, ADVANTAGE)), numbers, rtol=1e-6
        )


def test_symbolic_calls():
    inputs = [
        keras.Input((2,)),
        keras.Input((), dtype="int64"),
        keras.Input(()),
    ]
    outputs = [
        rlk.ops.policy_gradient_loss(*inputs),
        rlk.ops.entropy(inputs[0]),
        rlk.ops.clipped_surrogate_loss(inputs[2], inputs[2], 0.2),
    ]
    assert [output.shape for output in outputs] == [(None,)] * 3
    results = keras.Function(inputs, outputs)([LOGITS, ACTION, ADVANTAGE])
    # Ratio 2 is clipped to 1.2, times 2; ratio -1 costs -1 * -1 unless the
    # clipped 0.8 * -1 is lower.
    for result, expected in zip(results, (LOSS, ENTROPY, [-2.4, 0.8])):
        np.testing.assert_allclose(np.array(result), expected, rtol=1e-6)


def test_wrong_shapes_raise():
    with pytest.raises(
        ValueError,
        match=r"`action` must have shape \[B\]. "
        r"Received: action.shape=\(2, 1\)",
    ):
        rlk.ops.policy_gradient_loss(LOGITS, ACTION[:, None], ADVANTAGE)
    with pytest.raises(ValueError, match=r"`logits` must have shape \[B, A\]"):
        rlk.ops.policy_gradient_loss(LOGITS[0], ACTION, ADVANTAGE)
    with pytest.raises(ValueError, match=r"`logits` must have shape \[B, A\]"):
        rlk.ops.entropy(LOGITS[0])
    with pytest.raises(ValueError, match="`advantage` must have size 2 along"):
        rlk.ops.policy_gradient_loss(LOGITS, ACTION, ADVANTAGE[:1])
    with pytest.raises(ValueError, match=r"`ratio` must have shape \[B\]"):
        rlk.ops.clipped_surrogate_loss(LOGITS, ADVANTAGE, 0.2)
    with pytest.raises(ValueError, match="`advantage` must have size 2 along"):
        rlk.ops.clipped_surrogate_loss(ADVANTAGE, ADVANTAGE[:1], 0.2)


def test_wrong_values_raise():
    with pytest.raises(
        ValueError, match="`action` must be of an integer dtype"
    ):
        rlk.ops.policy_gradient_loss(LOGITS, ADVANTAGE, ADVANTAGE)
    with pytest.raises(ValueError, match="`clip` must be a positive, finite"):
        rlk.ops.clipped_surrogate_loss(ADVANTAGE, ADVANTAGE, 0)
