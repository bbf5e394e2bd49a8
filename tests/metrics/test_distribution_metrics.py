"""All metrics at once: state, weights, masks, saving, use in `compile`."""

import keras
import numpy as np
import pytest
from scipy import stats

from keras_rlkit import layers, losses, metrics

METRICS = [
    lambda: metrics.IntervalCoverage(0.8),
    lambda: metrics.QuantileCalibrationError(4),
    lambda: metrics.ContinuousRankedProbabilityScore(50, seed=3),
]


def tfd():
    import tensorflow_probability as tfp

    return tfp.distributions


def normal(size=(40, 1), scale=1.0):
    return tfd().Normal(np.zeros(size, "float32"), np.float32(scale))


def targets(size=(40, 1)):
    return np.random.default_rng(0).normal(size=size).astype("float32")


@pytest.mark.parametrize("make", METRICS)
def test_a_tensor_is_refused(make):
    with pytest.raises(TypeError, match="needs the predicted distribution"):
        make().update_state(np.ones((3, 1)), np.ones((3, 1)))


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("make", METRICS)
def test_shapes_that_would_broadcast_are_refused(make):
    with pytest.raises(ValueError, match="must have the same shape"):
        make().update_state(targets()[:, 0], normal())


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("make", METRICS)
def test_batches_add_up_and_reset(make):
    y, whole, parts = targets(), make(), make()
    whole.update_state(y, normal())
    for part in (y[:10], y[10:]):
        parts.update_state(part, normal(part.shape))
    np.testing.assert_allclose(parts.result(), whole.result(), rtol=1e-5)
    whole.reset_state()
    assert float(whole.weight) == 0
    whole.update_state(np.full_like(y, 9.0), normal())
    parts.update_state(np.full_like(y, 9.0), normal())
    assert abs(float(whole.result()) - float(parts.result())) > 0.01


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("make", METRICS)
def test_weights_of_zero_leave_targets_out(make):
    y = targets()
    y[20:] = np.nan
    weighted, short = make(), make()
    weight = np.where(np.arange(40) < 20, 2.0, 0.0)
    weighted.update_state(y, normal(), sample_weight=weight)
    short.update_state(y[:20], normal((20, 1)))
    np.testing.assert_allclose(weighted.result(), short.result(), rtol=1e-5)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("options", [{}, {"jit_compile": True}], ids=str)
def test_in_compile_the_distribution_arrives(options):
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    y = x[:, :1]
    model = keras.Sequential([keras.Input((2,)), layers.NormalHead()])
    model.compile(
        "adam",
        loss=losses.NegativeLogLikelihood(),
        metrics=[make() for make in METRICS],
        **options,
    )
    results = model.evaluate(x, y, verbose=0, return_dict=True)
    for metric in (make() for make in METRICS):
        metric.update_state(y, model(x))
        np.testing.assert_allclose(
            results[metric.name], metric.result(), rtol=1e-4
        )


@pytest.mark.tensorflow_only
def test_coverage_counts_targets_inside():
    metric = metrics.IntervalCoverage(0.95)
    metric.update_state([[-1.97], [-1.95], [0.0], [1.97]], normal((4, 1)))
    np.testing.assert_allclose(metric.result(), 0.5)
    metric.reset_state()
    metric.update_state([[1.0], [3.0]], normal((2, 1)), sample_weight=[3, 1])
    np.testing.assert_allclose(metric.result(), 0.75)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize(
    "scale, error",
    # Standard normal targets: the share below the quantile q of N(0, scale)
    # is Phi(q), here at levels 1/5 ... 4/5.
    [
        (scale, np.mean(np.abs(stats.norm.cdf(scale * z) - p)))
        for scale in (1.0, 0.5, 3.0)
        for p in [np.arange(1, 5) / 5]
        for z in [stats.norm.ppf(p)]
    ],
)
def test_calibration_error_of_too_narrow_and_too_wide_predictions(scale, error):
    # Evenly spaced quantiles stand for the distribution without noise.
    y = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)[:, None]
    metric = metrics.QuantileCalibrationError(4)
    metric.update_state(y, normal((2000, 1), scale))
    np.testing.assert_allclose(metric.result(), error, atol=1e-3)


@pytest.mark.tensorflow_only
def test_calibration_of_counts():
    y = np.random.default_rng(0).poisson(2.0, size=(20_000, 1))
    metric = metrics.QuantileCalibrationError()
    metric.update_state(y, tfd().Poisson(np.full((20_000, 1), 2.0, "float32")))
    assert float(metric.result()) < 0.005


@pytest.mark.tensorflow_only
def test_score_of_sampled_distributions_is_near_the_exact_one():
    y = np.full((5000, 1), 0.7, "float32")
    exact = metrics.ContinuousRankedProbabilityScore()
    exact.update_state(y, normal(y.shape))
    # With this many degrees of freedom Student's t is a normal.
    sampled = metrics.ContinuousRankedProbabilityScore(num_samples=10)
    near_normal = tfd().StudentT(1e5, np.zeros_like(y), 1.0)
    sampled.update_state(y, near_normal)
    np.testing.assert_allclose(sampled.result(), exact.result(), atol=0.01)
    again = metrics.ContinuousRankedProbabilityScore(num_samples=10)
    again.update_state(y, near_normal)
    assert float(again.result()) == float(sampled.result())


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: metrics.IntervalCoverage(1.0), "`level` must be a number bel"),
        (lambda: metrics.IntervalCoverage(0.0), r"`level` must.* in \(0, 1\]"),
        (lambda: metrics.QuantileCalibrationError(0), "`num_levels` must be"),
        (
            lambda: metrics.ContinuousRankedProbabilityScore(1),
            "`num_samples` must be an integer of 2 or more",
        ),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


PREDICTIONS = {
    "targets": np.random.default_rng(0).normal(size=(8, 2)),
    "predictions": np.random.default_rng(1).normal(size=(8, 3)),
    "last_layer": lambda: layers.NormalHead(2, kernel_initializer="ones"),
}
CONTRACT = {
    metrics.IntervalCoverage: {
        **PREDICTIONS,
        "arguments": {"level": 0.4},
        "bad": {"level": [0, 1, -0.5]},
    },
    metrics.QuantileCalibrationError: {
        **PREDICTIONS,
        "arguments": {"num_levels": 4},
        "bad": {"num_levels": [0, 2.5]},
    },
    metrics.ContinuousRankedProbabilityScore: {
        **PREDICTIONS,
        "arguments": {"num_samples": 50, "seed": 3},
        "bad": {"num_samples": [1, 2.5], "seed": [-1]},
    },
}
