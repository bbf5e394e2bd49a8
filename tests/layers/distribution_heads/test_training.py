"""Heads inside models: every way in which Keras builds and trains them."""

import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit import metrics

pytestmark = pytest.mark.tensorflow_only

X = np.random.default_rng(0).normal(size=(96, 3)).astype("float32")
Y = 2 * X[:, :1] + 1


@keras.saving.register_keras_serializable("test_training")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(8, activation="relu")
        self.head = rlk.layers.NormalHead()

    def call(self, x):
        return self.head(self.hidden(x))


def sequential():
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(8, activation="relu"),
            rlk.layers.NormalHead(),
        ]
    )


def functional():
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    return keras.Model(inputs, rlk.layers.NormalHead()(hidden))


MODELS = {
    "sequential": sequential,
    "functional": functional,
    "subclassed": Subclassed,
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_fit_evaluate_predict_save(make, tmp_path):
    import tensorflow_probability as tfp

    keras.utils.set_random_seed(0)
    model = make()
    model.compile(
        keras.optimizers.Adam(0.02),
        loss=rlk.losses.NegativeLogLikelihood(),
        metrics=["mse", metrics.IntervalCoverage()],
    )
    history = model.fit(X, Y, epochs=30, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] - 1
    prediction = model(X)
    assert isinstance(prediction, tfp.distributions.Distribution)
    results = model.evaluate(X, Y, verbose=0, return_dict=True)
    log_likelihood = np.mean(prediction.log_prob(Y))
    np.testing.assert_allclose(results["loss"], -log_likelihood, rtol=1e-4)
    error = np.mean((prediction.mean() - Y) ** 2)
    np.testing.assert_allclose(results["mse"], error, rtol=1e-4)
    half = 1.959964 * prediction.stddev()
    coverage = np.mean(np.abs(Y - prediction.mean()) <= half)
    np.testing.assert_allclose(results["interval_coverage"], coverage)
    np.testing.assert_allclose(
        model.predict(X, verbose=0), prediction.mean(), rtol=1e-5, atol=1e-6
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(loaded(X).stddev(), prediction.stddev())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"jit_compile": True},
        {"run_eagerly": True},
        {"steps_per_execution": 4},
    ],
    ids=str,
)
def test_ways_to_compile_give_the_same_numbers(options):
    keras.utils.set_random_seed(0)
    model = sequential()
    model.compile(
        keras.optimizers.SGD(0.01),
        loss=rlk.losses.NegativeLogLikelihood(),
        metrics=["mae"],
        **options,
    )
    history = model.fit(X, Y, epochs=2, shuffle=False, verbose=0).history
    # The same function and loss as a plain Keras model.
    keras.utils.set_random_seed(0)
    plain = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(
                2, kernel_initializer=keras.initializers.VarianceScaling(0.01)
            ),
        ]
    )

    def gaussian(y, output):
        scale = 1e-3 + keras.ops.softplus(output[:, 1:] + np.log(np.e - 1))
        z = (y - output[:, :1]) / scale
        return 0.5 * z**2 + keras.ops.log(scale) + 0.5 * np.log(2 * np.pi)

    plain.compile(keras.optimizers.SGD(0.01), loss=gaussian, jit_compile=False)
    expected = plain.fit(X, Y, epochs=2, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-4)
    for batch_size in (96, 40):
        prediction = model.predict(X, batch_size=batch_size, verbose=0)
        np.testing.assert_allclose(
            prediction, plain(X)[:, :1], rtol=1e-3, atol=1e-5
        )


def test_one_of_several_outputs():
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    model = keras.Model(
        inputs,
        {
            "price": rlk.layers.NormalHead(name="price")(hidden),
            "label": rlk.layers.CategoricalHead(3, name="label")(hidden),
            "plain": keras.layers.Dense(1, name="plain")(hidden),
        },
    )
    likelihood = rlk.losses.NegativeLogLikelihood
    model.compile(
        "adam",
        loss={"price": likelihood(), "label": likelihood(), "plain": "mse"},
        metrics={"price": [metrics.IntervalCoverage()], "label": ["acc"]},
        loss_weights={"price": 2.0, "label": 1.0, "plain": 0.5},
    )
    labels = np.arange(96) % 3
    y = {"price": Y, "label": labels, "plain": Y}
    model.fit(X, y, epochs=2, verbose=0)
    results = model.evaluate(X, y, verbose=0, return_dict=True)
    output = model(X)
    price = -np.mean(output["price"].log_prob(Y))
    label = -np.mean(output["label"].log_prob(labels))
    plain = np.mean((output["plain"] - Y) ** 2)
    np.testing.assert_allclose(results["price_loss"], price, rtol=1e-4)
    np.testing.assert_allclose(
        results["loss"], 2 * price + label + 0.5 * plain, rtol=1e-4
    )
    accuracy = np.mean(output["label"].mode() == labels)
    np.testing.assert_allclose(results["label_acc"], accuracy)
    predictions = model.predict(X, verbose=0)
    assert predictions["label"].shape == (96, 3)
    np.testing.assert_allclose(predictions["label"].sum(1), 1, rtol=1e-5)


def test_layers_may_follow_and_get_the_tensor_value():
    inputs = keras.Input((3,))
    head = rlk.layers.NormalHead(2)(inputs)
    model = keras.Model(inputs, [keras.layers.Dense(1)(head), 2 * head + 1])
    dense, shifted = model(X)
    head = model.layers[1](X)
    kernel, bias = model.layers[-1].get_weights()
    np.testing.assert_allclose(
        dense, head.mean() @ kernel + bias, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(shifted, 2 * head.mean() + 1, rtol=1e-6)


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize("time_steps", [5, None])
def test_time_distributed_gets_the_tensor_value(run_eagerly, time_steps):
    head = rlk.layers.NormalHead(2)
    inputs = keras.Input((time_steps, 3))
    outputs = keras.layers.TimeDistributed(head)(inputs)
    assert outputs.shape == (None, time_steps, 2)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=run_eagerly)
    x = X[:60].reshape(12, 5, 3)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), head(x).mean(), rtol=1e-4, atol=1e-6
    )
    before = head.projection.kernel.numpy()
    model.fit(x, np.ones((12, 5, 2)), verbose=0)
    moved = head.projection.kernel.numpy() - before
    # The scale has no part in the value.
    assert (moved[:, :2] != 0).all() and (moved[:, 2:] == 0).all()


class CallableOnInputs(Subclassed):
    """As the page on heads says."""

    def compute_output_spec(self, x):
        return self.call(x)


def test_subclassed_model_in_a_functional_one():
    inner = CallableOnInputs()
    inputs = keras.Input((3,))
    model = keras.Model(inputs, inner(inputs))
    assert model.output_shape == (None, 1)
    model.compile("adam", loss=rlk.losses.NegativeLogLikelihood())
    model.fit(X, Y, verbose=0)
    np.testing.assert_allclose(model(X).stddev(), inner(X).stddev())


def test_metrics_that_cast_targets_to_the_predictions_dtype():
    def half_brier(y_true, y_pred):
        return (0.5 * keras.ops.cast(y_true, y_pred.dtype) - 0.5 * y_pred) ** 2

    model = keras.Sequential([keras.Input((3,)), rlk.layers.BernoulliHead(2)])
    likelihood = rlk.losses.NegativeLogLikelihood()
    model.compile("adam", likelihood, metrics=[half_brier])
    y = np.ones((96, 2))
    found = model.evaluate(X, y, verbose=0, return_dict=True)["half_brier"]
    expected = np.mean((0.5 - 0.5 * model.predict(X, verbose=0)) ** 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_mask_and_time_steps():
    """Padded steps don't count, even with NaN as their targets."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(8, 5, 3)).astype("float32")
    x[:, 3:] = 0
    y = np.random.default_rng(1).normal(size=(8, 5, 1)).astype("float32")
    y[:, 3:] = np.nan
    model = keras.Sequential(
        [
            keras.Input((None, 3)),
            keras.layers.Masking(),
            rlk.layers.NormalHead(),
        ]
    )
    model.compile(
        "adam",
        loss=rlk.losses.NegativeLogLikelihood(),
        metrics=[metrics.IntervalCoverage(0.5)],
    )
    results = model.evaluate(x, y, verbose=0, return_dict=True)
    short = model(x[:, :3])
    expected = -np.mean(short.log_prob(y[:, :3]))
    np.testing.assert_allclose(results["loss"], expected, rtol=1e-5)
    inside = np.abs(short.cdf(y[:, :3]) - 0.5) <= 0.25
    np.testing.assert_allclose(results["interval_coverage"], inside.mean())
    model.fit(x, y, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_cloned_model_and_ensemble_members_start_differently():
    model = sequential()
    copy = keras.models.clone_model(model)
    assert not np.allclose(copy(X).mean(), model(X).mean())
