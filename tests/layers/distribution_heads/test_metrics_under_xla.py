"""Every metric of every head under XLA, Keras' default on a GPU."""

import numpy as np
import pytest

import keras_rlkit as rlk

pytestmark = pytest.mark.tensorflow_only


def test_metrics_under_xla_are_those_without(case, rng):
    import tensorflow as tf

    x = tf.constant(rng.normal(size=(8, 3)), "float32")
    y = tf.constant(case.draw_targets(rng, (8, *case.target_shape)), "float32")
    head = case.make()
    head.build(x.shape)
    # `IntervalCoverage` asks for what the calibration error does, and takes a
    # while to compile: tests/metrics does that for one head.
    metrics = [
        rlk.metrics.QuantileCalibrationError(),
        rlk.metrics.ContinuousRankedProbabilityScore(),
    ]

    def update():
        for metric in metrics:
            metric.reset_state()
            metric.update_state(y, head(x))
        return [metric.result() for metric in metrics]

    compiled = tf.function(update, jit_compile=True, autograph=False)()
    results = update()
    assert np.isfinite(results).all()
    np.testing.assert_allclose(compiled, results, rtol=1e-3, atol=1e-5)
