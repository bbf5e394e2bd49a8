import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats

import keras_rlkit as rlk
from tests.ops.gradients import gradient


def test_categorical_log_probability_against_scipy():
    logits = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    action = np.array([0, 3, 2, 1, 0])
    expected = scipy.special.log_softmax(logits, axis=1)[np.arange(5), action]
    result = rlk.ops.categorical_log_probability(logits, action)
    np.testing.assert_allclose(np.array(result), expected, rtol=1e-5)


def test_gaussian_log_probability_against_scipy():
    generator = np.random.default_rng(0)
    mean, log_scale, action = generator.normal(size=(3, 6, 2))
    expected = scipy.stats.norm(mean, np.exp(log_scale)).logpdf(action)
    result = rlk.ops.gaussian_log_probability(mean, log_scale, action)
    np.testing.assert_allclose(np.array(result), expected.sum(1), rtol=1e-4)


def test_gaussian_gradients_by_hand():
    # d/dmean = (a - m) / s^2; d/dlog s = ((a - m) / s)^2 - 1.
    mean, scale, action = 1.0, 2.0, 4.0
    result = gradient(
        lambda m: keras.ops.sum(
            rlk.ops.gaussian_log_probability(m, [[np.log(scale)]], [[action]])
        ),
        [[mean]],
    )
    np.testing.assert_allclose(result, [[0.75]], rtol=1e-5)
    result = gradient(
        lambda s: keras.ops.sum(
            rlk.ops.gaussian_log_probability([[mean]], s, [[action]])
        ),
        [[np.log(scale)]],
    )
    np.testing.assert_allclose(result, [[1.25]], rtol=1e-5)


def test_gaussian_entropy_against_scipy():
    log_scale = np.array([[0.0, 1.0], [-2.0, 0.5]])
    expected = scipy.stats.norm(0, np.exp(log_scale)).entropy().sum(1)
    np.testing.assert_allclose(
        np.array(rlk.ops.gaussian_entropy(log_scale)), expected, rtol=1e-5
    )


def test_score_function_loss_by_hand():
    loss = rlk.ops.score_function_loss([-0.5, -2.0], [2.0, -1.0])
    np.testing.assert_allclose(np.array(loss), [1.0, -2.0])
    result = gradient(
        lambda a: keras.ops.sum(rlk.ops.score_function_loss([-0.5], a)), [2.0]
    )
    np.testing.assert_array_equal(result, [0.0])


def test_kl_estimate_averages_to_the_divergence():
    old, new = np.array([0.2, 0.8]), np.array([0.5, 0.5])
    estimate = np.array(rlk.ops.kl_estimate(np.log(new), np.log(old)))
    assert (estimate >= 0).all()
    # The mean over actions of the old policy is exact.
    np.testing.assert_allclose(
        old @ estimate, scipy.special.rel_entr(old, new).sum(), rtol=1e-5
    )


def test_wrong_shapes_raise():
    with pytest.raises(ValueError, match=r"`action` must have shape \[B, D\]"):
        rlk.ops.gaussian_log_probability([[0.0]], [[0.0]], [0.0])
    with pytest.raises(ValueError, match="`log_scale` must have size 1"):
        rlk.ops.gaussian_log_probability([[0.0]], [[0.0, 0.0]], [[0.0]])
    with pytest.raises(ValueError, match=r"`logits` must have shape \[B, A\]"):
        rlk.ops.categorical_log_probability([0.0], [0])
    with pytest.raises(ValueError, match="`advantage` must have size 2"):
        rlk.ops.score_function_loss([0.0, 0.0], [1.0])
    with pytest.raises(ValueError, match="`old_log_probability` must have"):
        rlk.ops.kl_estimate([0.0, 0.0], [1.0])
    with pytest.raises(ValueError, match=r"`log_scale` must have shape"):
        rlk.ops.gaussian_entropy([1.0])


def gaussian_parts(mean, log_scale, action):
    """Log-probability, and its gradients by mean and log-scale."""

    def of(mean, log_scale):
        return keras.ops.sum(
            rlk.ops.gaussian_log_probability(mean, log_scale, action)
        )

    return (
        float(of(mean, log_scale)),
        gradient(lambda m: of(m, log_scale), mean),
        gradient(lambda s: of(mean, s), log_scale),
    )


@pytest.mark.parametrize("log_scale", [-1000.0, -150.0, -100.0, 100.0, 1e30])
def test_action_at_the_mean_of_an_extreme_gaussian(log_scale):
    # -0 - log_scale - log(2 pi) / 2, with gradients 0 and 0 - 1.
    value, by_mean, by_scale = gaussian_parts([[1.0]], [[log_scale]], [[1.0]])
    expected = -log_scale - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_array_equal(by_mean, [[0.0]])
    np.testing.assert_array_equal(by_scale, [[-1.0]])


@pytest.mark.parametrize(
    "log_scale, difference",
    [
        (-80.0, 1e-35),
        (-60.0, 1e-20),
        (-40.0, 1.0),
        (-40.0, -0.01),
        (-20.0, 1.0),
        (20.0, 3.0),
        (60.0, 1e25),
        (80.0, -1e30),
    ],
)
def test_extreme_gaussians_by_hand(log_scale, difference):
    # In float64: with z the deviation, -z^2 / 2 - log_scale - log(2 pi) / 2,
    # z / scale and z^2 - 1.
    z = difference / np.exp(log_scale)
    value, by_mean, by_scale = gaussian_parts(
        [[0.0]], [[log_scale]], [[difference]]
    )
    expected = -0.5 * z**2 - log_scale - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    np.testing.assert_allclose(
        by_mean, [[z / np.exp(log_scale)]], rtol=1e-4, atol=1e-37
    )
    np.testing.assert_allclose(by_scale, [[z**2 - 1]], rtol=1e-4)


@pytest.mark.parametrize("difference", [1e-30, 1e-12, 1e-3, 1.0, 1e19])
@pytest.mark.parametrize("log_scale", [-1e30, -500.0, -100.0, 100.0])
def test_gaussians_beyond_float32_stay_finite(difference, log_scale):
    value, by_mean, by_scale = gaussian_parts(
        [[0.0]], [[log_scale]], [[difference]]
    )
    assert np.isfinite([value, by_mean.item(), by_scale.item()]).all()
    # A scale that is far too small is told to grow.
    z = np.exp(np.log(difference) - max(log_scale, -600.0))
    if z > 10:
        assert by_scale.item() > 0 and by_mean.item() > 0


def test_probability_ratio_by_hand():
    old = np.log([0.5, 0.2, 0.5], dtype="float32")
    new = np.log([0.5, 0.8, 0.1], dtype="float32")
    ratio = np.array(rlk.ops.probability_ratio(new, old))
    np.testing.assert_allclose(ratio, [1.0, 4.0, 0.2], rtol=1e-6)
    # The same bits as the plain formula.
    np.testing.assert_array_equal(
        ratio, np.array(keras.ops.exp(keras.ops.subtract(new, old)))
    )


def test_probability_ratio_beyond_exp():
    new = np.array([0.0, 0.0, 0.0, -300.0, -np.inf, 1e20], "float32")
    old = np.array([-21.0, -1e20, -np.inf, 0.0, -1.0, 0.0], "float32")
    ratio = np.array(rlk.ops.probability_ratio(new, old))
    most = np.exp(np.float32(20))
    np.testing.assert_allclose(ratio, [most, most, most, 0, 0, most], rtol=1e-5)
    # The gradient of exp is exp: beyond the bound it still points down.
    result = gradient(
        lambda x: keras.ops.sum(rlk.ops.probability_ratio(x, old)), new
    )
    np.testing.assert_allclose(
        result, [most, most, most, 0, 0, most], rtol=1e-5
    )
    result = gradient(
        lambda x: keras.ops.sum(rlk.ops.probability_ratio([0.0], x)), [-1.0]
    )
    np.testing.assert_array_equal(result, [0.0])


@pytest.mark.parametrize("log_ratio", [25.0, 100.0, 1e30, np.inf])
def test_clipped_surrogate_of_a_ratio_beyond_exp(log_ratio):
    def loss(new, advantage):
        ratio = rlk.ops.probability_ratio(new, [-log_ratio])
        return keras.ops.sum(
            rlk.ops.clipped_surrogate_loss(ratio, [advantage], 0.2)
        )

    # Flat beyond the clip where the action was good, or of no account.
    for advantage, expected in ((1.0, -1.2), (2.5, -3.0), (0.0, 0.0)):
        np.testing.assert_allclose(loss([0.0], advantage), expected, rtol=1e-6)
        slope = gradient(lambda new, a=advantage: loss(new, a), [0.0])
        np.testing.assert_array_equal(slope, [0.0])
    # Where it was bad: large, finite, and less probable is better.
    assert 1e3 < float(loss([0.0], -1.0)) < 1e9
    slope = gradient(lambda new: loss(new, -1.0), [0.0])
    assert 1e3 < slope[0] < 1e9


def test_kl_estimate_stays_finite():
    new = np.array([0.0, 0.0, -np.inf, -200.0], "float32")
    old = np.array([-100.0, -np.inf, 0.0, 0.0], "float32")
    estimate = np.array(rlk.ops.kl_estimate(new, old))
    assert np.isfinite(estimate).all() and np.isfinite(estimate.mean())
    # -1 + 200 exactly; the others are far above any limit.
    np.testing.assert_allclose(estimate[3], 199.0)
    assert (estimate[:3] > 1e6).all()
    # NaN is not hidden.
    assert np.isnan(np.array(rlk.ops.kl_estimate([np.nan], [0.0]))).all()


def test_an_action_without_weight_is_not_seen():
    # Its probability is 0, and its logarithm -inf.
    logits = [[0.0, -np.inf]]
    loss = rlk.ops.policy_gradient_loss(logits, [1], [0.0])
    np.testing.assert_array_equal(np.array(loss), [0.0])
    loss = rlk.ops.score_function_loss([-np.inf], [0.0])
    np.testing.assert_array_equal(np.array(loss), [0.0])


def test_entropy_and_its_gradient_where_actions_are_forbidden():
    logits = [[1.0, 1.0, -np.inf]]
    np.testing.assert_allclose(
        np.array(rlk.ops.entropy(logits)), [np.log(2)], rtol=1e-6
    )
    slope = gradient(lambda x: keras.ops.sum(rlk.ops.entropy(x)), logits)
    np.testing.assert_allclose(slope, [[0.0, 0.0, 0.0]], atol=1e-6)
