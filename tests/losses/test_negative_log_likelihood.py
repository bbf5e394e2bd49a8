import keras
import numpy as np
import pytest
from keras import ops
from keras.src.backend.common import masking

import keras_rlkit as rlk


class Unit:
    """Normal(mean, 1) with the methods that the loss uses, on any backend."""

    event_shape = ()
    dtype = "float32"
    unit_axes = 1

    def __init__(self, mean):
        self.mean = ops.convert_to_tensor(mean, "float32")
        self.batch_shape = tuple(self.mean.shape)

    def log_prob(self, value):
        return -((value - self.mean) ** 2) / 2 - 0.5 * np.log(2 * np.pi)


HALF_LOG_2_PI = 0.9189385
Y = np.array([[1.0], [2.0], [4.0]])
PREDICTION = np.array([[1.0], [0.0], [1.0]])
# Squared errors 0, 4, 9.
VALUES = HALF_LOG_2_PI + np.array([0.0, 2.0, 4.5])


def loss_of(*arguments, **options):
    loss = rlk.losses.NegativeLogLikelihood(**options)
    y, prediction, *weight = arguments
    return np.array(loss(y, Unit(prediction), *weight))


def test_worked_number():
    # -log N(8; 10, 1) = log(2 pi) / 2 + 2.
    np.testing.assert_allclose(loss_of([[8.0]], [[10.0]]), 2.918939, atol=1e-6)


def test_perfect_prediction():
    np.testing.assert_allclose(loss_of(Y, Y), HALF_LOG_2_PI, rtol=1e-6)


@pytest.mark.parametrize(
    "reduction, weight, expected",
    [
        (None, None, VALUES),
        ("sum", None, VALUES.sum()),
        ("mean", None, VALUES.sum() / 3),
        ("sum_over_batch_size", None, VALUES.sum() / 3),
        ("mean_with_sample_weight", None, VALUES.sum() / 3),
        (None, [1, 2, 3], VALUES * [1, 2, 3]),
        ("sum", [1, 2, 3], VALUES @ [1, 2, 3]),
        ("sum_over_batch_size", [1, 2, 3], VALUES @ [1, 2, 3] / 3),
        ("mean_with_sample_weight", [1, 2, 3], VALUES @ [1, 2, 3] / 6),
        ("mean_with_sample_weight", [0, 0, 0], 0.0),
        ("sum_over_batch_size", [[1], [2], [3]], VALUES @ [1, 2, 3] / 3),
    ],
)
def test_reductions_and_weights(reduction, weight, expected):
    weight = None if weight is None else np.array(weight)
    result = loss_of(Y, PREDICTION, weight, reduction=reduction)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_units_of_one_sample_add_up():
    y = np.array([[1.0, 3.0], [0.0, 0.0]])
    expected = [2 * HALF_LOG_2_PI + 5.0, 2 * HALF_LOG_2_PI]
    result = loss_of(y, np.zeros((2, 2)), reduction=None)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    weighted = loss_of(y, np.zeros((2, 2)), np.array([0.0, 3.0]))
    np.testing.assert_allclose(weighted, 3 * HALF_LOG_2_PI, rtol=1e-6)


@pytest.mark.parametrize("check_targets", [True, False])
def test_targets_of_weight_zero_may_be_nan(check_targets):
    y = np.array([[1.0], [np.nan], [4.0]])
    result = loss_of(
        y, PREDICTION, np.array([1, 0, 1]), check_targets=check_targets
    )
    np.testing.assert_allclose(result, (VALUES[0] + VALUES[2]) / 3, rtol=1e-6)


def test_time_steps_take_weights_of_samples_or_of_steps():
    y = np.arange(6.0).reshape(2, 3, 1)
    values = HALF_LOG_2_PI + np.arange(6).reshape(2, 3) ** 2 / 2
    zeros = np.zeros((2, 3, 1))
    for weight in (np.array([1.0, 0.5]), np.arange(6.0).reshape(2, 3)):
        result = loss_of(y, zeros, weight)
        expected = (values * weight.reshape(2, -1)).sum() / 6
        np.testing.assert_allclose(result, expected, rtol=1e-6)


@pytest.mark.parametrize("reduction", ["mean_with_sample_weight", "sum", None])
def test_weights_of_outputs(reduction):
    y = np.array([[1.0, np.nan], [2.0, 3.0]])
    weight = np.array([[2.0, 0.0], [1.0, 3.0]])
    # Log likelihoods of 0 and 1 standard deviations from the mean.
    result = loss_of(y, [[1.0, 5.0], [1.0, 3.0]], weight, reduction=reduction)
    samples = np.array([2 * HALF_LOG_2_PI, 4 * HALF_LOG_2_PI + 0.5])
    expected = {
        None: samples,
        "sum": samples.sum(),
        # A sample weighs what its outputs weigh on average: 1 and 2.
        "mean_with_sample_weight": samples.sum() / 3,
    }[reduction]
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "shape", [(2,), (2, 1), (2, 3), (2, 3, 1), (2, 1, 1), (2, 3, 2)]
)
def test_weighted_mean_divides_by_the_weights_of_all_values(shape):
    y = np.arange(12.0).reshape(2, 3, 2)
    weight = np.broadcast_to([[[1.0]], [[3.0]]], (2, 3, 2))
    weight = weight[tuple(slice(size) for size in (*shape, 1, 1)[:3])]
    values = (2 * HALF_LOG_2_PI) + (y**2).sum(axis=2) / 2
    expected = (values[0].mean() + 3 * values[1].mean()) / 4
    result = loss_of(
        y,
        np.zeros_like(y),
        weight.reshape(shape),
        reduction="mean_with_sample_weight",
    )
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "reduction, per_sample",
    [
        ("mean_with_sample_weight", [1.0, 3.0]),
        ("sum_over_batch_size", [1.0, 3.0]),
        ("mean_with_sample_weight", None),
    ],
)
def test_mask_and_weights_reduce_as_in_keras(reduction, per_sample):
    """Half the squared error is the likelihood of Normal(mean, 1)."""
    y = np.arange(6.0).reshape(2, 3, 1)
    mask = np.array([[True, True, False], [True, False, False]])
    weight = None if per_sample is None else np.array(per_sample)

    class HalfSquare(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return HALF_LOG_2_PI + (y_true - y_pred)[..., 0] ** 2 / 2

    tensor, prediction = ops.zeros((2, 3, 1)), Unit(np.zeros((2, 3, 1)))
    masking.set_keras_mask(tensor, ops.convert_to_tensor(mask))
    prediction._keras_mask = ops.convert_to_tensor(mask)
    # Keras itself wants the weights in every step.
    steps = None if weight is None else np.repeat(weight[:, None], 3, axis=1)
    expected = HalfSquare(reduction=reduction)(y, tensor, steps)
    loss = rlk.losses.NegativeLogLikelihood(reduction=reduction)
    np.testing.assert_allclose(loss(y, prediction, weight), expected, rtol=1e-6)


def test_weights_of_another_size_are_refused():
    for shape in ((2,), (3, 2)):
        with pytest.raises(ValueError, match="`sample_weight`.*one entry for"):
            loss_of(Y, PREDICTION, np.ones(shape))


@pytest.mark.parametrize(
    "y, prediction",
    [(Y[:, 0], PREDICTION), (Y, PREDICTION[:, 0]), (Y, np.zeros((3, 2)))],
)
def test_shapes_that_would_broadcast_are_refused(y, prediction):
    message = r"y_true.shape=\(3.*distribution of shape \(3"
    with pytest.raises(ValueError, match=message):
        loss_of(y, prediction)


def test_a_tensor_is_refused_with_advice():
    loss = rlk.losses.NegativeLogLikelihood()
    with pytest.raises(TypeError, match="End the model with a distribution"):
        loss(Y, ops.ones((3, 1)))


def test_dtype_and_config():
    loss = rlk.losses.NegativeLogLikelihood(
        check_targets=False, reduction="sum", name="nll", dtype="float16"
    )
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert copy.get_config() == loss.get_config()
    assert not copy.check_targets
    assert copy.reduction == "sum"
    result = copy(Y, Unit(PREDICTION))
    assert keras.backend.standardize_dtype(result.dtype) == "float16"


def test_unknown_reduction():
    with pytest.raises(ValueError, match="reduction"):
        rlk.losses.NegativeLogLikelihood(reduction="median")


def tfd():
    import tensorflow_probability as tfp

    return tfp.distributions


@pytest.mark.tensorflow_only
def test_gradient_worked_by_hand():
    import tensorflow as tf

    mean, scale = tf.Variable([[10.0]]), tf.Variable([[2.0]])
    loss = rlk.losses.NegativeLogLikelihood()
    with tf.GradientTape() as tape:
        value = loss([[8.0]], tfd().Normal(mean, scale))
    # d/dm = (m - y) / s^2, d/ds = 1 / s - (y - m)^2 / s^3.
    np.testing.assert_allclose(
        tape.gradient(value, [mean, scale]), [[[0.5]], [[0.0]]], atol=1e-6
    )


@pytest.mark.tensorflow_only
@pytest.mark.parametrize(
    "head, good, bad, message",
    [
        (rlk.layers.NormalHead, 1.0, np.nan, "Normal.*a finite number.*nan"),
        (rlk.layers.PoissonHead, 1.0, -2.0, "Poisson.*whole number from 0.*-2"),
        (rlk.layers.PoissonHead, 1.0, 0.5, "Poisson.*whole number.*0.5"),
        (rlk.layers.BernoulliHead, 1.0, 2.0, "Bernoulli.*0 or 1.*2"),
        (rlk.layers.LogNormalHead, 1.0, 0.0, "LogNormal.*above 0.*0"),
    ],
)
def test_impossible_targets_stop_training_before_they_do_harm(
    head, good, bad, message
):
    import tensorflow as tf

    x = np.ones((8, 2), "float32")
    y = np.full((8, 1), good, "float32")
    model = keras.Sequential([keras.Input((2,)), head()])
    model.compile("adam", loss=rlk.losses.NegativeLogLikelihood())
    model.fit(x, y, verbose=0)
    before = model.get_weights()
    y[5] = bad
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        model.fit(x, y, verbose=0)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)
    # Eagerly, before training, with the place of the first one.
    with pytest.raises(ValueError, match=message + r".*at index \(5, 0\)"):
        model.loss(y, model(x))


def beta_mixture(t):
    parts = tfd().Beta(ops.exp(t[..., None, :]), 1.5)
    return tfd().MixtureSameFamily(
        tfd().Categorical(logits=t[..., None, :]), parts
    )


@pytest.mark.tensorflow_only
@pytest.mark.parametrize(
    "make, good, bad, message",
    [
        (beta_mixture, 0.5, 0.0, "MixtureSameFamily.*between 0 and 1"),
        (
            lambda t: tfd().Inflated(
                tfd().Poisson(ops.exp(t[:, 0])), inflated_loc_logits=t[:, 1]
            ),
            2.0,
            -1.0,
            "Inflated.*whole number",
        ),
        (lambda t: tfd().Chi2(ops.exp(t[:, 0])), 2.0, -1.0, "Chi2"),
        (lambda t: tfd().LogLogistic(t[:, 0], 1.0), 2.0, -1.0, "LogLogistic"),
        (
            lambda t: tfd().Exponential(ops.exp(t[:, 0])),
            0.0,
            -1.0,
            "Exponential.*from 0 up",
        ),
        (lambda t: tfd().Normal(t[:, 0], 1.0), 1.0, 1e30, "Normal.*density"),
        (
            lambda t: tfd().GeneralizedPareto(0.0, ops.exp(t[:, 0]), 0.3),
            1.0,
            -1.0,
            "GeneralizedPareto",
        ),
        (
            lambda t: tfd().Dirichlet(ops.exp(t)),
            [0.4, 0.6],
            [0.4, 0.8],
            "Dirichlet.*add up to 1",
        ),
        (
            lambda t: tfd().OneHotCategorical(logits=t),
            [0.0, 1.0],
            [1.0, 1.0],
            "OneHotCategorical.*one 1",
        ),
        (
            lambda t: tfd().Multinomial(3.0, logits=t),
            [1.0, 2.0],
            [1.0, 1.0],
            "Multinomial.*add up to `total_count`",
        ),
    ],
)
def test_the_distribution_says_what_is_impossible(make, good, bad, message):
    import tensorflow as tf

    prediction = make(tf.constant([[0.5, -0.5]] * 3))
    y = np.array([good] * 3, "float32").reshape(
        (*prediction.batch_shape, *prediction.event_shape)
    )
    loss = rlk.losses.NegativeLogLikelihood()
    assert np.isfinite(loss(y, prediction))
    y[1] = bad
    with pytest.raises(ValueError, match=message + r".*at index \(1,"):
        loss(y, prediction)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        tf.function(lambda y: loss(y, prediction), autograph=False)(y)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "name, parameters, y, in_float32",
    [
        # Log-densities worked by hand; float32 takes the nearest number that
        # is possible: 1 - 2^-23, 2^-126 and (1 - 2^-24) 2^128.
        ("Beta", (2.0, 3.0), 1 - 1e-9, np.log(12) - 46 * np.log(2)),
        (
            "LogNormal",
            (0.0, 1.0),
            1e-50,
            126 * np.log(2) - HALF_LOG_2_PI - (126 * np.log(2)) ** 2 / 2,
        ),
        (
            "LogNormal",
            (0.0, 1.0),
            1e50,
            -128 * np.log(2) - HALF_LOG_2_PI - (128 * np.log(2)) ** 2 / 2,
        ),
    ],
)
def test_targets_that_float32_would_round_out_of_the_support(
    name, parameters, y, in_float32, dtype
):
    import tensorflow as tf
    from scipy import stats

    distribution = {"Beta": stats.beta(2, 3), "LogNormal": stats.lognorm(1)}
    expected = distribution[name].logpdf(y)
    if dtype == "float32":
        expected = in_float32
    prediction = getattr(tfd(), name)(
        *(tf.constant([value], dtype) for value in parameters)
    )
    loss = rlk.losses.NegativeLogLikelihood(dtype=dtype)
    result = loss(tf.constant([y], "float64"), prediction)
    np.testing.assert_allclose(result, -expected, rtol=1e-5)


@pytest.mark.tensorflow_only
def test_a_joint_distribution_is_refused_with_advice():
    joint = tfd().JointDistributionSequential(
        [tfd().Normal([0.0], 1.0), tfd().Poisson([1.0])]
    )
    loss = rlk.losses.NegativeLogLikelihood()
    with pytest.raises(TypeError, match="one output for each part"):
        loss([[0.0], [1.0]], joint)
    layer = rlk.layers.DistributionLambda(lambda t: joint)
    with pytest.raises(TypeError, match="one output for each part"):
        layer(np.ones((1, 2)))


@pytest.mark.tensorflow_only
def test_classes_out_of_range():
    head = rlk.layers.CategoricalHead(3)
    x = np.ones((4, 2))
    loss = rlk.losses.NegativeLogLikelihood()
    with pytest.raises(ValueError, match="a class number from 0 to 2.*3 at"):
        loss(np.array([0, 1, 2, 3]), head(x))
    with pytest.raises(ValueError, match="class numbers instead of one-hot"):
        loss(np.eye(4)[:, :3], head(x))


@pytest.mark.tensorflow_only
def test_under_xla_a_bad_batch_is_nan_and_leaves_no_trace():
    x = np.ones((8, 2), "float32")
    y = np.ones((8, 1), "float32")
    y[5] = np.nan
    model = keras.Sequential([keras.Input((2,)), rlk.layers.NormalHead()])
    loss = rlk.losses.NegativeLogLikelihood()
    model.compile("sgd", loss=loss, jit_compile=True)
    before = model.get_weights()
    history = model.fit(x, y, batch_size=8, verbose=0).history["loss"]
    assert np.isnan(history).all()
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


@pytest.mark.tensorflow_only
def test_unchecked_targets():
    model = keras.Sequential([keras.Input((2,)), rlk.layers.NormalHead()])
    loss = rlk.losses.NegativeLogLikelihood(check_targets=False)
    assert np.isnan(loss([[np.nan]], model(np.ones((1, 2)))))


@pytest.mark.tensorflow_only
def test_a_function_in_compile_gets_a_tensor_and_says_what_to_do():
    model = keras.Sequential([keras.Input((2,)), rlk.layers.NormalHead()])
    likelihood = rlk.losses.NegativeLogLikelihood()
    model.compile("adam", loss=lambda y, p: likelihood(y, p))
    with pytest.raises(TypeError, match="not a function that calls it"):
        model.fit(np.ones((8, 2)), np.ones((8, 1)), verbose=0)


@pytest.mark.tensorflow_only
def test_the_last_axis_lost_on_the_way_is_refused_in_fit():
    """The tutorial's defect: (N,) against (N, 1) gave (N, N) in silence."""
    model = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(2),
            rlk.layers.DistributionLambda(
                lambda t: tfd().Normal(t[..., 0], ops.softplus(t[..., 1]))
            ),
        ]
    )
    model.compile("adam", loss=rlk.losses.NegativeLogLikelihood())
    with pytest.raises(ValueError, match=r"as in `t\[..., :1\]` instead of"):
        model.fit(np.ones((8, 1)), np.ones((8, 1)), verbose=0)


@pytest.mark.tensorflow_only
def test_fit_with_sample_weights():
    x, y = np.ones((8, 2)), np.arange(8.0)[:, None]
    weight = np.arange(8.0)
    model = keras.Sequential([keras.Input((2,)), rlk.layers.NormalHead()])
    model.compile("adam", loss=rlk.losses.NegativeLogLikelihood())
    result = model.evaluate(x, y, sample_weight=weight, verbose=0)
    expected = -np.mean(weight * np.array(model(x).log_prob(y))[:, 0])
    np.testing.assert_allclose(result, expected, rtol=1e-5)


CONTRACT = {
    rlk.losses.NegativeLogLikelihood: {
        "targets": np.random.default_rng(0).normal(size=(8, 2)),
        "predictions": np.random.default_rng(1).normal(size=(8, 3)),
        "last_layer": lambda: rlk.layers.NormalHead(
            2, kernel_initializer="ones"
        ),
        "arguments": {"check_targets": False, "reduction": "sum"},
    }
}
