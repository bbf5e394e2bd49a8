"""Features in half precision, parameters of distributions in float32."""

import contextlib

import keras
import numpy as np
import pytest

import keras_rlkit as rlk

pytestmark = pytest.mark.tensorflow_only

X = np.random.default_rng(0).normal(size=(96, 3)).astype("float32")
Y = 2 * X[:, :1] + 1


@contextlib.contextmanager
def policy(name):
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")


def test_every_head_trains(case, rng):
    y = case.draw_targets(rng, (96, *case.target_shape))
    with policy("mixed_bfloat16"):
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(4), case.make()]
        )
    model.compile(
        keras.optimizers.Adam(0.03),
        loss=rlk.losses.NegativeLogLikelihood(),
        steps_per_execution=3,
    )
    history = model.fit(X, y, epochs=8, verbose=0).history["loss"]
    assert np.isfinite(history).all()
    assert history[-1] < history[0]
    prediction = model.predict(X, verbose=0, batch_size=96)
    assert prediction.shape == (96, *(case.value_shape or case.target_shape))
    assert prediction.dtype == "float32"


def test_mixed_float16_keeps_parameters_in_float32():
    keras.utils.set_random_seed(0)
    with policy("mixed_float16"):
        model = keras.Sequential(
            [
                keras.Input((3,)),
                keras.layers.Dense(8, activation="relu"),
                rlk.layers.NormalHead(),
            ]
        )
    model.compile(
        keras.optimizers.Adam(0.05), loss=rlk.losses.NegativeLogLikelihood()
    )
    assert "LossScale" in type(model.optimizer).__name__
    history = model.fit(X, Y, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0] - 1
    prediction = model(X)
    assert prediction.loc.dtype == prediction.scale.dtype == "float32"
    # Not one of the few values that float16 has: kept in full precision.
    location = np.asarray(prediction.loc)
    assert (location != location.astype("float16")).mean() > 0.9


def test_float64_is_kept():
    head = rlk.layers.NormalHead(dtype="float64")
    assert head(X.astype("float64")).loc.dtype == "float64"
    assert rlk.layers.NormalHead(dtype="float16")(X).loc.dtype == "float32"
