import operator

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_rlkit as rlk

pytestmark = pytest.mark.tensorflow_only


def head_of_raw_parameters(case):
    """The head with the identity as projection."""
    head = case.make()
    head.build((None, case.num_parameters))
    head.projection.kernel.assign(np.eye(case.num_parameters))
    return head


def test_number_of_parameters(case):
    assert case.make().num_parameters == case.num_parameters


def test_is_a_tfp_distribution_of_the_stated_kind(case, rng):
    import tensorflow_probability as tfp

    distribution = case.make()(rng.normal(size=(7, 4)))
    assert isinstance(distribution, tfp.distributions.Distribution)
    assert type(distribution.tensor_distribution).__name__ == case.distribution
    shape = (*distribution.batch_shape, *distribution.event_shape)
    assert shape == (7, *case.target_shape)
    assert distribution.sample(3).shape == (3, 7, *case.target_shape)
    value_shape = case.value_shape or case.target_shape
    assert tuple(distribution.shape) == (7, *value_shape)
    assert np.asarray(distribution).shape == (7, *value_shape)
    if case.has_quantile:
        assert distribution.quantile(0.9).shape == (7, *case.target_shape)


def test_tensor_value_as_keras_sees_it(case):
    head = case.make()
    value_shape = case.value_shape or case.target_shape
    for batch_shape in ((None,), (2, None)):
        output = head(keras.Input(batch_shape[1:] + (4,), batch_shape[0]))
        assert output.shape == (*batch_shape, *value_shape)
        assert output.dtype == "float32"
        input_shape = (*batch_shape, 4)
        assert case.make().compute_output_shape(input_shape) == output.shape
    assert head(np.ones((2, 4))).dtype == "float32"


def test_log_likelihood_is_scipys(case, rng):
    raw = rng.normal(scale=2.0, size=(50, case.num_parameters))
    y = case.draw_targets(rng, (50, *case.target_shape))
    loss = rlk.losses.NegativeLogLikelihood(reduction=None)
    expected = [-case.log_likelihood(*pair) for pair in zip(raw, y)]
    result = loss(y, head_of_raw_parameters(case)(raw))
    np.testing.assert_allclose(result, expected, rtol=2e-4, atol=2e-5)


def test_first_loss_is_moderate_for_standardised_targets(case, rng):
    x = rng.normal(size=(200, 8))
    y = case.draw_targets(rng, (200, *case.target_shape))
    loss = rlk.losses.NegativeLogLikelihood()(y, case.make()(x))
    assert float(loss) / max(1, np.prod(case.target_shape)) < 4


def test_features_of_zero_give_the_stated_start(case):
    start = case.make()(np.zeros((1, 3)))
    if case.distribution in ("Normal", "MultivariateNormalTriL"):
        fixed = getattr(case.make(), "scale", None) == 2.5
        expected = 2.5 if fixed else 1 + min(case.floors.values())
        np.testing.assert_allclose(start.mean(), np.zeros(start.shape))
        np.testing.assert_allclose(
            start.stddev(), expected * np.ones_like(start)
        )
    if case.distribution in ("Poisson", "NegativeBinomial"):
        np.testing.assert_allclose(start.mean(), 1.01 * np.ones_like(start))
    if case.distribution == "MixtureSameFamily":
        components = start.components_distribution
        np.testing.assert_allclose(components.loc[0, 0], [-1, 0, 1])
        np.testing.assert_allclose(
            start.mixture_distribution.probs_parameter(), 1 / 3, rtol=1e-6
        )
    if case.distribution in ("Bernoulli", "Categorical"):
        num_choices = 5 if case.distribution == "Categorical" else 2
        np.testing.assert_allclose(start.probs_parameter(), 1 / num_choices)


def test_floors_hold_for_any_parameters(case):
    raw = np.full((1, case.num_parameters), -1e6)
    head = head_of_raw_parameters(case)
    if getattr(head, "scale", None) == "constant":
        head.raw_scale.assign([-1e6])
    distribution = head(raw)
    for name, floor in case.floors.items():
        value = operator.attrgetter(name)(distribution)
        value = np.asarray(value() if callable(value) else value)
        np.testing.assert_allclose(value.min(), floor, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), exponent=st.floats(-4, 4))
def test_gradients_are_finite_for_any_features(case, dtype, seed, exponent):
    """Over 1e5 inputs for each head, as features of either precision."""
    import tensorflow as tf

    generator = np.random.default_rng(seed)
    # Half of each example spreads over all magnitudes up to 1e4; the other
    # half has one magnitude.
    exponents = generator.uniform(-4, 4, size=(20_000, 1))
    exponents[10_000:] = exponent
    features = generator.normal(size=(20_000, case.num_parameters))
    features = tf.cast(features * 10**exponents, dtype)
    y = case.draw_targets(generator, (20_000, *case.target_shape))
    loss = rlk.losses.NegativeLogLikelihood(reduction=None)
    head = head_of_raw_parameters(case)
    with tf.GradientTape() as tape:
        tape.watch(features)
        losses = loss(y, head(features))
    gradient = tape.gradient(losses, features)
    assert gradient.dtype == dtype
    assert np.isfinite(losses).all()
    assert np.isfinite(tf.cast(gradient, "float32")).all()


def test_config_round_trip(case):
    head = case.make()
    config = head.get_config()
    copy = type(head).from_config(config.copy())
    assert copy.get_config() == config
    copy.build((None, 4))
    assert copy.get_config() == config
    assert copy.projection.kernel.shape == (4, case.num_parameters)


def test_saves_and_loads_in_safe_mode(case, rng, tmp_path):
    x = rng.normal(size=(6, 3))
    y = case.draw_targets(rng, (6, *case.target_shape))
    model = keras.Sequential([keras.Input((3,)), case.make()])
    model.compile("adam", loss=rlk.losses.NegativeLogLikelihood())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(x).log_prob(y), model(x).log_prob(y))
    np.testing.assert_array_equal(np.asarray(loaded(x)), np.asarray(model(x)))
    assert isinstance(loaded.loss, rlk.losses.NegativeLogLikelihood)


def test_units_must_be_a_positive_integer():
    with pytest.raises(ValueError, match="`units` must be a positive integer"):
        rlk.layers.NormalHead(units=0)
    assert rlk.layers.NormalHead(units=np.int64(2)).units == 2
