"""What has no weight reaches neither the loss nor a gradient."""

import keras
import numpy as np
import pytest

import keras_rlkit as rlk

pytestmark = pytest.mark.tensorflow_only

RAW = np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
FILLS = (np.nan, np.inf, 9.96921e36, -1.0)


def tfd():
    import tensorflow_probability as tfp

    return tfp.distributions


def positive(raw):
    return 0.01 + keras.ops.softplus(raw)


def beta_mixture(t):
    parts = tfd().Beta(positive(t[..., None, :2]), positive(t[..., None, 2:4]))
    return tfd().MixtureSameFamily(
        tfd().Categorical(logits=t[..., None, 4:6]), parts
    )


def inflated_poisson(t):
    return tfd().Inflated(
        tfd().Poisson(positive(t[:, :1])), inflated_loc_logits=t[:, 1:2]
    )


def blocks(t):
    parts = [tfd().Normal(t[:, 0], positive(t[:, 1]))]
    parts += [
        tfd().Poisson(positive(t[:, 2])),
        tfd().Exponential(1.0 + t[:, 3] ** 2),
    ]
    return tfd().Blockwise(parts)


# A distribution of six numbers, and targets it can give.
OTHERS = {
    "beta": (lambda t: tfd().Beta(positive(t), positive(-t)), np.full(6, 0.3)),
    "beta_mixture": (beta_mixture, np.full(1, 0.3)),
    "uniform": (
        lambda t: tfd().Uniform(t[:, :3], t[:, :3] + positive(t[:, 3:])),
        None,
    ),
    "truncated": (
        lambda t: tfd().TruncatedNormal(t, 1.0, t - 0.5, t + 3.0),
        None,
    ),
    "logit_normal": (lambda t: tfd().LogitNormal(t, 1.0), np.full(6, 0.3)),
    "dirichlet": (lambda t: tfd().Dirichlet(positive(t)), np.full(6, 1 / 6)),
    "pareto": (lambda t: tfd().Pareto(2.0, positive(t)), np.full(6, 9.0)),
    "quantized": (
        lambda t: tfd().QuantizedDistribution(tfd().LogNormal(t + 1, 1.0)),
        np.full(6, 2.0),
    ),
    "inflated_poisson": (inflated_poisson, np.full(1, 2.0)),
    "multinomial": (
        lambda t: tfd().Multinomial(3.0, logits=t),
        np.array([1.0, 2.0, 0, 0, 0, 0]),
    ),
    "one_hot": (lambda t: tfd().OneHotCategorical(logits=t), np.eye(6)[2]),
    "blocks": (blocks, np.array([0.3, 2.0, 0.5])),
    "independent": (
        lambda t: tfd().Independent(tfd().Exponential(positive(t)), 1),
        np.full(6, 2.0),
    ),
}


def loss_and_gradient(make, raw, y, weight, jit_compile=None):
    import tensorflow as tf

    loss = rlk.losses.NegativeLogLikelihood()

    def compute(raw, y):
        with tf.GradientTape() as tape:
            tape.watch(raw)
            value = loss(y, make(raw), weight)
        return value, tape.gradient(value, raw)

    if jit_compile is not None:
        compute = tf.function(compute, jit_compile=jit_compile, autograph=False)
    value, gradient = compute(tf.constant(raw, "float32"), tf.constant(y))
    return np.array(value), np.array(gradient)


def check(make, raw, y, fills=FILLS, jit_compile=None):
    weight = np.array([1.0, 0.0, 2.0], "float32")
    counted = weight > 0
    value, gradient = loss_and_gradient(
        make, raw[counted], y[counted], weight[counted]
    )
    for fill in fills:
        y = y.copy()
        y[1] = fill
        found = loss_and_gradient(make, raw, y, weight, jit_compile)
        # A mean over three samples instead of two.
        np.testing.assert_allclose(found[0], value * 2 / 3, rtol=1e-4)
        np.testing.assert_allclose(
            found[1][counted], gradient * 2 / 3, rtol=1e-3, atol=1e-6
        )
        np.testing.assert_array_equal(found[1][1], 0 * raw[1])


@pytest.mark.parametrize("name", OTHERS)
def test_other_distributions(name):
    make, y = OTHERS[name]
    if y is None:
        y = make(RAW).quantile(0.3)
    shape = make(RAW).batch_shape + make(RAW).event_shape
    y = np.broadcast_to(y, shape).astype("float32")
    check(make, RAW, y)


def test_under_xla():
    make, _ = OTHERS["uniform"]
    y = make(RAW).quantile(0.3).numpy()
    check(make, RAW, y, [np.nan], jit_compile=True)


def test_in_batches_of_any_size():
    import tensorflow as tf

    loss = rlk.losses.NegativeLogLikelihood(reduction="sum")
    y = np.tile(np.float32(OTHERS["blocks"][1]), (3, 1))
    weight = np.float32([1, 0, 2])
    any_size = [tf.TensorSpec([None, size], "float32") for size in (6, 3)]
    expected = loss(y, blocks(RAW), weight)
    y[1] = np.nan
    found = tf.function(
        lambda raw, y: loss(y, blocks(raw), weight), input_signature=any_size
    )(RAW, y)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


HEADS = {
    "normal": (lambda: rlk.layers.NormalHead(2), np.ones((3, 2))),
    "student_t": (lambda: rlk.layers.StudentTHead(), np.ones((3, 1))),
    "log_normal": (
        lambda: rlk.layers.LogNormalHead(),
        np.full((3, 1), 2, "int64"),
    ),
    "mixture": (lambda: rlk.layers.MixtureNormalHead(1, 2), np.ones((3, 1))),
    "multivariate": (
        lambda: rlk.layers.MultivariateNormalHead(2),
        np.ones((3, 2)),
    ),
    "poisson": (lambda: rlk.layers.PoissonHead(), np.full((3, 1), 2.0)),
    "negative_binomial": (
        lambda: rlk.layers.NegativeBinomialHead(),
        np.full((3, 1), 2, "int32"),
    ),
    "bernoulli": (lambda: rlk.layers.BernoulliHead(2), np.ones((3, 2))),
    "categorical": (
        lambda: rlk.layers.CategoricalHead(3),
        np.array([0, 1, 2]),
    ),
}


@pytest.mark.parametrize(
    "name, check_targets, options",
    [
        *((name, True, {"run_eagerly": True}) for name in HEADS),
        ("log_normal", True, {}),
        ("categorical", False, {}),
        ("mixture", True, {"jit_compile": True}),
    ],
)
def test_heads_in_fit(name, check_targets, options):
    """One step with a missing target is the step without that sample."""
    make, y = HEADS[name]
    y = y if y.dtype.kind == "i" else y.astype("float32")
    weight = np.array([1.0, 0.0, 2.0])

    def step(y, count):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((6,)), make()])
        loss = rlk.losses.NegativeLogLikelihood(check_targets, reduction="sum")
        model.compile(keras.optimizers.SGD(0.1), loss, **options)
        model.fit(RAW[count], y[count], sample_weight=weight[count], verbose=0)
        return model.get_weights()

    expected = step(y, [0, 2])
    missing = y.copy()
    missing[1] = -1 if y.dtype.kind == "i" else 9.96921e36
    for one, other in zip(step(missing, [0, 1, 2]), expected):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_masked_steps_may_hold_anything():
    x = np.random.default_rng(0).normal(size=(1, 4, 2)).astype("float32")
    x[0, 3] = 0.0
    results = []
    for last in (1.0, 1e20):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((4, 2)),
                keras.layers.Masking(0.0),
                rlk.layers.MultivariateNormalHead(2),
            ]
        )
        model.compile("sgd", rlk.losses.NegativeLogLikelihood())
        y = np.ones((1, 4, 2), "float32")
        y[0, 3] = last
        loss = model.fit(x, y, verbose=0).history["loss"]
        results.append([*loss, *np.ravel(model.get_weights()[0])])
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)
