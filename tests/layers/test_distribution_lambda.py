import keras
import numpy as np
import pytest

import keras_rlkit as rlk

pytestmark = pytest.mark.tensorflow_only

X = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
Y = 2 * X[:, :1] + 1


def tfd():
    import tensorflow_probability as tfp

    return tfp.distributions


@keras.saving.register_keras_serializable("test_distribution_lambda")
def laplace(t):
    scale = 1e-3 + keras.ops.softplus(t[..., 1:])
    return tfd().Laplace(t[..., :1], scale)


@keras.saving.register_keras_serializable("test_distribution_lambda")
def upper_quartile(distribution):
    return distribution.quantile(0.75)


def model_of(layer, num_parameters=2):
    return keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(num_parameters), layer]
    )


def test_trains_and_answers_like_the_distribution():
    model = model_of(rlk.layers.DistributionLambda(laplace))
    model.compile(
        keras.optimizers.Adam(0.05), loss=rlk.losses.NegativeLogLikelihood()
    )
    history = model.fit(X, Y, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0] - 0.5
    prediction = model(X)
    own = laplace(model.layers[0](X))
    assert isinstance(prediction.tensor_distribution, tfd().Laplace)
    np.testing.assert_allclose(prediction.loc, own.loc, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        prediction.log_prob(Y), own.log_prob(Y), rtol=1e-4, atol=1e-5
    )
    assert prediction.sample(10).shape == (10, 64, 1)


@pytest.mark.parametrize(
    "convert_to_tensor, expected",
    [
        ("mean", lambda d: d.mean()),
        ("mode", lambda d: d.mode()),
        (upper_quartile, lambda d: d.quantile(0.75)),
    ],
)
def test_predict_gives_what_was_chosen(convert_to_tensor, expected):
    model = model_of(
        rlk.layers.DistributionLambda(
            lambda t: tfd().LogNormal(t[..., :1], 0.5), convert_to_tensor
        ),
        num_parameters=1,
    )
    np.testing.assert_allclose(
        model.predict(X, verbose=0), expected(model(X)), rtol=1e-4
    )


def test_predict_of_samples_draws_anew_but_one_output_stays_the_same():
    model = model_of(rlk.layers.DistributionLambda(laplace, "sample"))
    first, second = (model.predict(X, verbose=0) for _ in range(2))
    assert not np.allclose(first, second)
    output = model(X)
    np.testing.assert_array_equal(np.asarray(output), np.asarray(output))
    np.testing.assert_array_equal(output + 0.0, np.asarray(output))


def test_inside_tf_function():
    import tensorflow as tf

    model = model_of(rlk.layers.DistributionLambda(laplace))

    @tf.function
    def spread(x):
        return model(x).stddev()

    np.testing.assert_allclose(spread(X), model(X).stddev(), rtol=1e-5)
    # A compiled function returns tensors: here, the mean.
    np.testing.assert_allclose(
        tf.function(model)(X), model(X).mean(), rtol=1e-5, atol=1e-6
    )


def test_several_inputs():
    first, second = keras.Input((2,)), keras.Input((2,))
    layer = rlk.layers.DistributionLambda(
        lambda t: tfd().Normal(t["mean"], keras.ops.exp(t["log"]))
    )
    output = layer({"mean": first, "log": second})
    assert output.shape == (None, 2)
    model = keras.Model([first, second], output)
    prediction = model([np.zeros((4, 2)), np.ones((4, 2))])
    np.testing.assert_allclose(prediction.stddev(), np.full((4, 2), np.e))


def test_parameters_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = model_of(rlk.layers.DistributionLambda(laplace))
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.layers[0](X).dtype == "float16"
    assert model(X).loc.dtype == model(X).scale.dtype == "float32"


def test_independent_adds_up_the_axes_it_takes_in():
    def independent(t):
        return tfd().Independent(tfd().Normal(t, 1.0), 1)

    output = rlk.layers.DistributionLambda(independent)(X)
    loss = rlk.losses.NegativeLogLikelihood()(X + 1, output)
    np.testing.assert_allclose(loss, 3 * 1.4189385, rtol=1e-5)


def test_activity_regularizer_gets_the_distribution():
    prior = tfd().Normal(0.0, 1.0)
    layer = rlk.layers.DistributionLambda(
        lambda t: tfd().Normal(t, 2.0),
        activity_regularizer=lambda d: 0.5 * tfd().kl_divergence(d, prior),
    )
    layer(np.array([[1.0], [3.0]]))
    # KL(N(m, 2) || N(0, 1)) = (m^2 + 4 - 1) / 2 - log 2.
    expected = 0.5 * np.mean([(m**2 + 3) / 2 - np.log(2) for m in (1, 3)])
    np.testing.assert_allclose(layer.losses, [expected], rtol=1e-6)
    model = model_of(layer, num_parameters=1)
    model.compile("adam", loss=rlk.losses.NegativeLogLikelihood())
    regularized = model.evaluate(X, Y, verbose=0, batch_size=64)
    likelihood = rlk.losses.NegativeLogLikelihood()(Y, model(X))
    penalty = 0.5 * np.mean(tfd().kl_divergence(model(X), prior))
    np.testing.assert_allclose(regularized, likelihood + penalty, rtol=1e-4)


def test_registered_functions_save_in_safe_mode(tmp_path):
    model = model_of(rlk.layers.DistributionLambda(laplace, upper_quartile))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(X).scale, model(X).scale)
    np.testing.assert_array_equal(
        loaded.predict(X, verbose=0), model.predict(X, verbose=0)
    )


@pytest.mark.filterwarnings("ignore:The object being serialized")
def test_a_lambda_is_refused_in_safe_mode(tmp_path):
    # A lambda that was loaded sees nothing of the module it came from.
    layer = rlk.layers.DistributionLambda(
        lambda t: __import__("tensorflow_probability").distributions.Normal(
            t, 1.0
        )
    )
    model = model_of(layer, num_parameters=1)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="saved with a Python lambda.*regis"):
        keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=False)
    np.testing.assert_array_equal(loaded(X).mean(), model(X).mean())


@pytest.mark.filterwarnings("ignore:The object being serialized")
def test_a_lambda_without_source_says_how_to_save_it(tmp_path):
    # As one that was typed at a prompt.
    typed = eval("lambda t: t")
    for arguments in (
        {"make_distribution": typed},
        {"make_distribution": laplace, "convert_to_tensor": typed},
        {"make_distribution": laplace, "activity_regularizer": typed},
    ):
        layer = rlk.layers.DistributionLambda(**arguments)
        with pytest.raises(ValueError, match="register_keras_serializable"):
            layer.get_config()


def test_output_shape():
    layer = rlk.layers.DistributionLambda(laplace)
    assert layer.compute_output_shape((None, 5, 2)) == (None, 5, 1)
    of_two = rlk.layers.DistributionLambda(
        lambda t: tfd().Normal(t["mean"], keras.ops.exp(t["log"]))
    )
    shapes = {"mean": (None, 2), "log": (None, 2)}
    assert of_two.compute_output_shape(shapes) == (None, 2)


def test_a_distribution_without_a_mode_says_so():
    mixture = tfd().MixtureSameFamily(
        tfd().Categorical(logits=[0.0, 0.0]), tfd().Normal([0.0, 1.0], 1.0)
    )
    layer = rlk.layers.DistributionLambda(lambda t: mixture, "mode")
    with pytest.raises(ValueError, match="MixtureSameFamily.* has no `mode`"):
        layer(X)


def test_wrong_arguments():
    with pytest.raises(TypeError, match="`make_distribution` must be a func"):
        rlk.layers.DistributionLambda(None)
    with pytest.raises(ValueError, match="`convert_to_tensor` must be one of"):
        rlk.layers.DistributionLambda(laplace, convert_to_tensor="median")
    with pytest.raises(ValueError, match="must return a `tfp.distributions"):
        rlk.layers.DistributionLambda(lambda t: t)(X)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.parameters = keras.layers.Dense(2)
        self.distribution = rlk.layers.DistributionLambda(laplace)

    def call(self, x):
        return self.distribution(self.parameters(x))


def functional(with_second_output):
    inputs = keras.Input((3,))
    parameters = keras.layers.Dense(2)(inputs)
    output = rlk.layers.DistributionLambda(laplace)(parameters)
    if not with_second_output:
        return keras.Model(inputs, output)
    return keras.Model(inputs, [output, keras.layers.Dense(1)(inputs)])


@pytest.mark.parametrize(
    "make, options",
    [
        (Subclassed, {}),
        (lambda: functional(False), {"steps_per_execution": 2}),
        (lambda: functional(False), {"jit_compile": True}),
        (lambda: functional(True), {}),
    ],
    ids=["subclassed", "steps_per_execution", "jit_compile", "two_outputs"],
)
def test_models_and_ways_to_compile(make, options):
    model = make()
    several = not isinstance(model, Subclassed) and len(model.outputs) == 2
    likelihood = rlk.losses.NegativeLogLikelihood()
    model.compile(
        keras.optimizers.Adam(0.05),
        loss=[likelihood, "mse"] if several else likelihood,
        **options,
    )
    y = [Y, Y] if several else Y
    history = model.fit(X, y, epochs=10, verbose=0).history["loss"]
    assert history[-1] < history[0] - 0.2
    output = model(X)
    expected = 0.0
    if several:
        output, plain = output
        expected = np.mean((plain - Y) ** 2)
    expected -= np.mean(output.log_prob(Y))
    result = model.evaluate(X, y, verbose=0)
    result = result[0] if several else result
    np.testing.assert_allclose(result, expected, rtol=1e-4)
    predicted = model.predict(X, verbose=0)
    predicted = predicted[0] if several else predicted
    np.testing.assert_allclose(predicted, output.mean(), rtol=1e-4, atol=1e-5)


CONTRACT = {
    rlk.layers.DistributionLambda: {
        "arguments": {
            "make_distribution": laplace,
            "convert_to_tensor": upper_quartile,
        },
        "inputs": X[:8, :2],
        "targets": Y[:8],
        "bad": {"make_distribution": [3], "convert_to_tensor": ["median"]},
    }
}
