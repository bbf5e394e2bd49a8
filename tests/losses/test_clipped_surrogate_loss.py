import keras
import numpy as np
import pytest

import keras_rlkit as rlk

# Probability 3/4 now against 1/2 before: ratio 1.5; and 1/4: ratio 0.5.
LOGITS = np.log([[0.25, 0.75]] * 4).astype("float32")
OLD = np.log(0.5)
TARGETS = np.array([[1, OLD], [0, OLD], [1, OLD], [0, OLD]], "float32")
ADVANTAGE = np.array([2.0, 2.0, -2.0, -2.0], "float32")
# -min(ratio * A, clipped ratio * A) with clip 0.2.
LOSS = np.array([-2.4, -1.0, 3.0, 1.6])
ENTROPY = np.log(4) - 0.75 * np.log(3)


def test_values_by_hand_are_not_proportional_to_the_weights():
    loss = rlk.losses.ClippedSurrogateLoss(clip=0.2, reduction=None)
    np.testing.assert_allclose(
        np.array(loss(TARGETS, LOGITS, ADVANTAGE)), LOSS, rtol=1e-5
    )
    mean = rlk.losses.ClippedSurrogateLoss(clip=0.2)
    np.testing.assert_allclose(
        float(mean(TARGETS, LOGITS, ADVANTAGE[:, None])), LOSS.mean(), rtol=1e-5
    )
    np.testing.assert_allclose(
        float(mean(TARGETS, LOGITS)), -np.mean([1.2, 0.5, 1.2, 0.5]), rtol=1e-5
    )


def test_gradient_through_fit_by_hand():
    # Only samples 2 and 3 are not clipped. The derivative by the logits is
    # -A * ratio * (one-hot - probabilities), a quarter of it each.
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, use_bias=False)]
    )
    model.set_weights([LOGITS])
    model.compile(
        keras.optimizers.SGD(1.0), loss=rlk.losses.ClippedSurrogateLoss(0.2)
    )
    model.fit(
        np.eye(4), TARGETS, sample_weight=ADVANTAGE, verbose=0, shuffle=False
    )
    expected = np.array(
        [
            [0, 0],
            [-2 * 0.5 * 0.75, 2 * 0.5 * 0.75],
            [2 * 1.5 * -0.25, 2 * 1.5 * 0.25],
            [0, 0],
        ]
    )
    np.testing.assert_allclose(
        LOGITS - model.get_weights()[0], expected / 4, atol=1e-5
    )


def test_zero_advantage_leaves_the_entropy_bonus():
    loss = rlk.losses.ClippedSurrogateLoss(entropy_weight=0.5)
    np.testing.assert_allclose(
        float(loss(TARGETS, LOGITS, np.zeros(4))), -0.5 * ENTROPY, rtol=1e-5
    )


def test_probabilities_instead_of_logits():
    loss = rlk.losses.ClippedSurrogateLoss(0.2, from_logits=False)
    np.testing.assert_allclose(
        float(loss(TARGETS, np.exp(LOGITS), ADVANTAGE)), LOSS.mean(), rtol=1e-5
    )


def test_many_actions_survive_bfloat16():
    logits = np.zeros((1, 1000), "float32")
    logits[0, 257] = 50.0
    loss = rlk.losses.ClippedSurrogateLoss(0.2, dtype="bfloat16")
    right = loss(np.array([[257, 0.0]], "float32"), logits)
    wrong = loss(np.array([[256, 0.0]], "float32"), logits)
    assert float(right) == -1.0 and abs(float(wrong)) < 1e-6


def test_bad_arguments_raise():
    with pytest.raises(ValueError, match="`clip` must be a positive, finite"):
        rlk.losses.ClippedSurrogateLoss(clip=0)
    with pytest.raises(ValueError, match="`reduction` must not divide by"):
        rlk.losses.ClippedSurrogateLoss(reduction="mean_with_sample_weight")
    with pytest.raises(ValueError, match=r"`y_true` must have .*\(4, 1\)"):
        rlk.losses.ClippedSurrogateLoss()(TARGETS[:, :1], LOGITS, ADVANTAGE)


def test_one_advantage_for_all_is_that_advantage_for_each():
    target = np.array([[0.0, np.log(0.5)], [1.0, np.log(0.5)]], "float32")
    logits = np.zeros((2, 2), "float32")
    loss = rlk.losses.ClippedSurrogateLoss(reduction=None)
    np.testing.assert_allclose(loss(target, logits, 2.3), [-2.3, -2.3], 1e-5)


CONTRACT = {
    rlk.losses.ClippedSurrogateLoss: {
        "targets": np.stack(
            [np.arange(8) % 3, np.log(np.linspace(0.2, 0.5, 8))], axis=1
        ).astype("float32"),
        "predictions": np.random.default_rng(0).normal(size=(8, 3)),
        "last_layer": keras.layers.Softmax,
        "arguments": {
            "clip": 0.3,
            "entropy_weight": 0.1,
            "from_logits": False,
            "reduction": "sum",
        },
        "bad": {
            "clip": [0, -0.2],
            "entropy_weight": [-1.0],
            "reduction": ["mean_with_sample_weight"],
        },
    }
}
