"""XLA compiles what the heads are made of, and gives the same numbers."""

import numpy as np
import pytest

import keras_rlkit as rlk

pytestmark = pytest.mark.tensorflow_only


def test_loss_and_gradient_under_xla(case, rng):
    import tensorflow as tf

    x = tf.constant(rng.normal(size=(8, 3)), "float32")
    y = tf.constant(case.draw_targets(rng, (8, *case.target_shape)), "float32")
    head = case.make()
    head.build(x.shape)
    loss = rlk.losses.NegativeLogLikelihood()

    def loss_and_gradient():
        with tf.GradientTape() as tape:
            value = loss(y, head(x))
        return value, tape.gradient(value, head.projection.kernel.value)

    value, gradient = tf.function(loss_and_gradient, jit_compile=True)()
    expected_value, expected_gradient = loss_and_gradient()
    np.testing.assert_allclose(value, expected_value, rtol=1e-4)
    np.testing.assert_allclose(
        gradient, expected_gradient, rtol=1e-3, atol=1e-4
    )
