"""What `fit` finds is what other methods find on the same likelihood."""

import keras
import numpy as np
import pytest
from scipy import optimize, stats

import keras_rlkit as rlk

pytestmark = pytest.mark.tensorflow_only

X = np.arange(0, 10, 0.1)[:, None]
NOISE = np.random.default_rng(0).normal(size=X.shape)


def fit(head, y, steps):
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), head])
    schedule = keras.optimizers.schedules.CosineDecay(0.2, steps)
    model.compile(
        keras.optimizers.Adam(schedule),
        loss=rlk.losses.NegativeLogLikelihood(),
        steps_per_execution=50,
    )
    everything = tf.data.Dataset.from_tensors((X, y)).repeat(steps)
    model.fit(everything, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize("scale", [1.0, "constant"])
def test_constant_noise_gives_the_line_of_least_squares(scale):
    y = 2 * X + 3 + 3 * NOISE
    model = fit(rlk.layers.NormalHead(scale=scale), y, steps=1_500)
    kernel, bias = model.layers[0].projection.get_weights()
    slope, intercept = np.polyfit(X[:, 0], y[:, 0], 1)
    np.testing.assert_allclose(kernel.item(), slope, rtol=0.01)
    np.testing.assert_allclose(bias.item(), intercept, rtol=0.01)
    if scale == "constant":
        residuals = y - slope * X - intercept
        spread = model(X).stddev()
        np.testing.assert_allclose(spread, residuals.std(), rtol=0.01)


def test_growing_noise_gives_the_optimum_of_scipy():
    y = 2 * X + 3 + (0.5 * X + 2) * NOISE
    model = fit(rlk.layers.NormalHead(), y, steps=2_500)
    loss = float(rlk.losses.NegativeLogLikelihood()(y, model(X)))

    def objective(parameters):
        slope, intercept, a, b = parameters
        scale = 1e-3 + np.logaddexp(0, a * X + b)
        return -stats.norm.logpdf(y, slope * X + intercept, scale).mean()

    best = optimize.minimize(objective, [2, 3, 0.5, 1], method="BFGS").fun
    assert best - 1e-4 < loss < 1.01 * best
