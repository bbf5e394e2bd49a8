import keras
import numpy as np
import pytest

import keras_rlkit as rlk

# Probabilities 1/4 and 3/4, then 1/2 and 1/2.
LOGITS = np.array([[0.0, np.log(3.0)], [5.0, 5.0]], "float32")
PROBABILITIES = np.array([[0.25, 0.75], [0.5, 0.5]], "float32")
ACTION = np.array([1, 0], "int64")
WEIGHT = np.array([2.0, -1.0], "float32")
LOSS = (2 * np.log(4 / 3) - np.log(2.0)) / 2
ENTROPY = (np.log(4) - 0.75 * np.log(3) + np.log(2)) / 2


def bias_gradient(loss, action, weight, logits=LOGITS):
    """What one SGD step with rate 1 does to logits that are weights."""
    model = keras.Sequential(
        [keras.Input((len(logits),)), keras.layers.Dense(2, use_bias=False)]
    )
    model.set_weights([logits])
    model.compile(keras.optimizers.SGD(1.0), loss=loss)
    model.fit(
        np.eye(len(logits)),
        action,
        sample_weight=weight,
        batch_size=len(logits),
        verbose=0,
        shuffle=False,
    )
    return logits - model.get_weights()[0]


def test_value_by_hand():
    loss = rlk.losses.PolicyGradientLoss()
    np.testing.assert_allclose(
        float(loss(ACTION, LOGITS, WEIGHT)), LOSS, rtol=1e-5
    )


def test_unweighted_is_the_mean_negative_log_probability():
    loss = rlk.losses.PolicyGradientLoss()
    np.testing.assert_allclose(
        float(loss(ACTION, LOGITS)), (np.log(4 / 3) + np.log(2)) / 2, rtol=1e-5
    )


def test_perfect_policy_loses_nothing():
    logits = np.array([[100.0, 0.0], [0.0, 100.0]], "float32")
    loss = rlk.losses.PolicyGradientLoss()
    np.testing.assert_allclose(float(loss([0, 1], logits, WEIGHT)), 0.0)


@pytest.mark.parametrize("column", [False, True])
def test_gradient_by_hand_sees_the_action(column):
    # weight * (probabilities - one-hot of the action), half of it each: with
    # the other action of the first sample the sign of its row changes.
    action, weight = ACTION, WEIGHT
    if column:
        action, weight = action[:, None], weight[:, None]
    gradient = bias_gradient(rlk.losses.PolicyGradientLoss(), action, weight)
    expected = [[0.25, -0.25], [0.25, -0.25]]
    np.testing.assert_allclose(gradient, expected, atol=1e-5)
    gradient = bias_gradient(
        rlk.losses.PolicyGradientLoss(), 1 - action, weight
    )
    expected = [[-0.75, 0.75], [-0.25, 0.25]]
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_zero_weights_give_zero_gradient():
    gradient = bias_gradient(
        rlk.losses.PolicyGradientLoss(), ACTION, np.zeros(2)
    )
    np.testing.assert_array_equal(gradient, np.zeros((2, 2)))


def test_entropy_bonus_is_not_multiplied_by_the_weight():
    loss = rlk.losses.PolicyGradientLoss(entropy_weight=0.5)
    np.testing.assert_allclose(
        float(loss(ACTION, LOGITS, WEIGHT)), LOSS - 0.5 * ENTROPY, rtol=1e-5
    )
    # Gradient of the entropy alone: -p_i * (log p_i + entropy), and the loss
    # falls with it, also where weights are 0.
    gradient = bias_gradient(loss, ACTION, np.zeros(2))
    row = 0.5 / 2 * 0.25 * (np.log(0.25) + np.log(4) - 0.75 * np.log(3))
    np.testing.assert_allclose(gradient, [[row, -row], [0, 0]], atol=1e-6)


def test_probabilities_instead_of_logits():
    loss = rlk.losses.PolicyGradientLoss(entropy_weight=0.5, from_logits=False)
    np.testing.assert_allclose(
        float(loss(ACTION, PROBABILITIES, WEIGHT)),
        LOSS - 0.5 * ENTROPY,
        rtol=1e-5,
    )
    certain = np.array([[1.0, 0.0]], "float32")
    assert np.isfinite(float(loss([1], certain, [1.0])))


def test_softmax_model_has_the_same_gradient():
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(2, use_bias=False, activation="softmax"),
        ]
    )
    model.set_weights([LOGITS])
    model.compile(
        keras.optimizers.SGD(1.0),
        loss=rlk.losses.PolicyGradientLoss(from_logits=False),
    )
    model.fit(np.eye(2), ACTION, sample_weight=WEIGHT, verbose=0, shuffle=False)
    np.testing.assert_allclose(
        LOGITS - model.get_weights()[0],
        [[0.25, -0.25], [0.25, -0.25]],
        atol=1e-5,
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_many_actions_survive_every_dtype(dtype):
    # 257 and 2049 are the first whole numbers that bfloat16 and float16 lose.
    logits = np.zeros((2, 3000), "float32")
    logits[0, 257], logits[1, 2049] = 50.0, 50.0
    loss = rlk.losses.PolicyGradientLoss(dtype=dtype)
    for action in (np.array([257, 2049]), np.array([257.0, 2049.0])):
        assert float(loss(action, logits)) == 0.0
    assert float(loss([258, 2049], logits)) > 20


def test_action_below_a_whole_number_by_a_rounding_error():
    loss = rlk.losses.PolicyGradientLoss()
    action = np.array([0.9999999, 0.0], "float32")
    np.testing.assert_allclose(
        float(loss(action, LOGITS, WEIGHT)), LOSS, rtol=1e-5
    )


def test_reductions():
    values = [2 * np.log(4 / 3), -np.log(2.0)]
    for reduction, expected in (
        (None, values),
        ("none", values),
        ("sum", sum(values)),
        ("mean", LOSS),
    ):
        loss = rlk.losses.PolicyGradientLoss(reduction=reduction)
        np.testing.assert_allclose(
            np.array(loss(ACTION, LOGITS, WEIGHT)), expected, rtol=1e-5
        )
    loss = rlk.losses.PolicyGradientLoss(entropy_weight=1.0, reduction=None)
    entropies = [np.log(4) - 0.75 * np.log(3), np.log(2)]
    np.testing.assert_allclose(
        np.array(loss(ACTION, LOGITS, WEIGHT)),
        np.subtract(values, entropies),
        rtol=1e-5,
    )


def test_mixed_precision_model_trains():
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2, dtype="mixed_bfloat16")]
    )
    model.compile("sgd", loss=rlk.losses.PolicyGradientLoss())
    before = model.get_weights()[0]
    model.fit(np.eye(2), ACTION, sample_weight=WEIGHT, verbose=0)
    after = model.get_weights()[0]
    assert np.isfinite(after).all() and (before != after).any()


def test_config_and_saving(tmp_path):
    loss = rlk.losses.PolicyGradientLoss(
        entropy_weight=0.1,
        from_logits=False,
        reduction="sum",
        name="mine",
        dtype="bfloat16",
    )
    copy = rlk.losses.PolicyGradientLoss.from_config(loss.get_config())
    assert copy.get_config() == loss.get_config()
    assert copy.get_config() == {
        "entropy_weight": 0.1,
        "from_logits": False,
        "reduction": "sum",
        "name": "mine",
        "dtype": "bfloat16",
    }
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", loss=loss)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.loss.get_config() == loss.get_config()


def test_bad_arguments_raise():
    with pytest.raises(ValueError, match="`reduction` must not divide by"):
        rlk.losses.PolicyGradientLoss(reduction="mean_with_sample_weight")
    for value in (-0.1, float("nan"), float("inf"), True):
        with pytest.raises(ValueError, match="`entropy_weight` must be a non"):
            rlk.losses.PolicyGradientLoss(entropy_weight=value)
    loss = rlk.losses.PolicyGradientLoss()
    with pytest.raises(ValueError, match=r"`y_true` must have .*\(2, 2\)"):
        loss(np.eye(2), LOGITS)
    with pytest.raises(ValueError, match=r"`y_pred` must have shape .*\(2,\)"):
        loss(ACTION, LOGITS[0])
    with pytest.raises(ValueError, match=r"`sample_weight` must .*\(2, 2\)"):
        loss(ACTION, LOGITS, np.ones((2, 2)))
    with pytest.raises(ValueError, match="`advantage` must have size 2"):
        loss(ACTION, LOGITS, np.ones(3))


@pytest.mark.parametrize("entropy_weight", [0.0, 0.5])
def test_one_weight_for_all_is_that_weight_for_each(entropy_weight):
    loss = rlk.losses.PolicyGradientLoss(entropy_weight)
    imitation = (np.log(4 / 3) + np.log(2)) / 2
    for weight in (2.3, np.float32(2.3), np.array(2.3)):
        np.testing.assert_allclose(
            float(loss(ACTION, LOGITS, weight)),
            2.3 * imitation - entropy_weight * ENTROPY,
            rtol=1e-5,
        )
    each = rlk.losses.PolicyGradientLoss(reduction=None)
    np.testing.assert_allclose(
        each(ACTION, LOGITS, 2), [2 * np.log(4 / 3), 2 * np.log(2)], rtol=1e-5
    )


# A third row only fills the batch up: the other weights grow by 3 / 2.
FILLED = (
    np.array([1, 0, 1]),
    np.concatenate([LOGITS, [[7.0, -3.0]]]).astype("float32"),
    np.array([2.0 * 1.5, -1.0 * 1.5, -0.0], "float32"),
)


def test_rows_that_fill_a_batch_up_have_no_entropy():
    loss = rlk.losses.PolicyGradientLoss(0.5)
    np.testing.assert_allclose(
        float(loss(*FILLED)), LOSS - 0.5 * ENTROPY, rtol=1e-5
    )
    # One value per row: their mean is the loss.
    each = rlk.losses.PolicyGradientLoss(0.5, reduction=None)(*FILLED)
    np.testing.assert_allclose(np.mean(each), LOSS - 0.5 * ENTROPY, rtol=1e-5)
    np.testing.assert_allclose(each[2], 0.0)
    # A sample whose return is 0 has its state's entropy like any other.
    action, logits, weight = FILLED
    row = 1 / (1 + np.exp(10.0))
    third = -row * np.log(row) - (1 - row) * np.log1p(-row)
    np.testing.assert_allclose(
        float(loss(action, logits, np.abs(weight))),
        (2 * 1.5 * np.log(4 / 3) + 1.5 * np.log(2)) / 3
        - 0.5 * (2 * ENTROPY + third) / 3,
        rtol=1e-5,
    )


def test_rows_that_fill_a_batch_up_have_no_gradient():
    action, logits, weight = FILLED
    loss = rlk.losses.PolicyGradientLoss(0.5)
    filled = bias_gradient(loss, action, weight, logits)
    np.testing.assert_array_equal(filled[2], [0.0, 0.0])
    np.testing.assert_allclose(
        filled[:2], bias_gradient(loss, ACTION, WEIGHT), rtol=1e-5, atol=1e-7
    )


CONTRACT = {
    rlk.losses.PolicyGradientLoss: {
        "targets": np.arange(8) % 3,
        "predictions": np.random.default_rng(0).normal(size=(8, 3)),
        "last_layer": keras.layers.Softmax,
        "arguments": {
            "entropy_weight": 0.1,
            "from_logits": False,
            "reduction": "sum",
        },
        "bad": {
            "entropy_weight": [-1.0, float("inf"), True],
            "reduction": ["mean_with_sample_weight"],
        },
    }
}
