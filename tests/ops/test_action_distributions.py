import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats

import keras_rlkit as rlk


def gradient(function, argument):
    argument = np.asarray(argument, "float32")
    if keras.backend.backend() == "jax":
        import jax

        return np.array(jax.grad(function)(argument))
    import tensorflow as tf

    argument = tf.convert_to_tensor(argument)
    with tf.GradientTape() as tape:
        tape.watch(argument)
        result = function(argument)
    return tape.gradient(
        result, argument, unconnected_gradients=tf.UnconnectedGradients.ZERO
    ).numpy()


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
