import operator

import numpy as np
import pytest

from keras_rlkit.layers.distribution_heads import tensor_distribution

pytestmark = pytest.mark.tensorflow_only

LOC = np.array([[1.0], [2.0], [4.0]], "float32")


def tfd():
    return tensor_distribution.distributions()


def wrapped(**options):
    normal = tfd().Normal(LOC, 2.0)
    return tensor_distribution.as_tensor_distribution(normal, **options)


def test_worked_number():
    # log N(8; 10, 1) = -log(2 pi) / 2 - 2.
    distribution = tensor_distribution.as_tensor_distribution(
        tfd().Normal(10.0, 1.0)
    )
    np.testing.assert_allclose(distribution.log_prob(8.0), -2.918939, atol=1e-6)


def test_shows_through_to_the_distribution():
    distribution = wrapped()
    assert isinstance(distribution, tfd().Distribution)
    np.testing.assert_array_equal(distribution.loc, LOC)
    np.testing.assert_allclose(distribution.quantile(0.5), LOC)
    np.testing.assert_allclose(distribution.stddev(), np.full((3, 1), 2.0))
    np.testing.assert_allclose(distribution.cdf(LOC), np.full((3, 1), 0.5))
    assert distribution.sample(5).shape == (5, 3, 1)
    assert distribution.parameters["scale"] == 2.0
    assert "Normal" in repr(distribution)
    assert "batch_shape=[3, 1]" in str(distribution)
    with pytest.raises(AttributeError, match="no_such_thing"):
        distribution.no_such_thing  # noqa: B018


def test_is_a_tensor_where_tensorflow_asks_for_one():
    import tensorflow as tf

    distribution = wrapped()
    np.testing.assert_array_equal(tf.convert_to_tensor(distribution), LOC)
    assert tf.cast(distribution, "float16").dtype == "float16"
    np.testing.assert_array_equal(np.asarray(distribution), LOC)
    np.testing.assert_array_equal(distribution.numpy(), LOC)
    assert tuple(distribution.shape) == (3, 1)
    assert not tf.is_tensor(distribution)


def test_arithmetic_uses_the_tensor_value():
    import tensorflow as tf

    distribution = wrapped()
    ones = tf.ones((3, 1))
    np.testing.assert_array_equal(distribution - ones, LOC - 1)
    np.testing.assert_array_equal(ones - distribution, 1 - LOC)
    np.testing.assert_array_equal(distribution - distribution, 0 * LOC)
    np.testing.assert_array_equal(2 * distribution / 4, LOC / 2)
    np.testing.assert_array_equal(-distribution, -LOC)
    np.testing.assert_array_equal(distribution > 1.5, LOC > 1.5)


@pytest.mark.parametrize(
    "left", [np.float32(2), np.sqrt(2.0), np.array([[1.0], [3.0], [5.0]])]
)
@pytest.mark.parametrize(
    "name, slope",
    [
        ("add", lambda a, m: np.ones_like(m)),
        ("sub", lambda a, m: -np.ones_like(m)),
        ("mul", lambda a, m: a * np.ones_like(m)),
        ("truediv", lambda a, m: -a / m**2),
        ("pow", lambda a, m: a**m * np.log(a)),
    ],
)
def test_numpy_on_the_left_keeps_the_gradient(left, name, slope):
    import tensorflow as tf

    loc = tf.Variable(LOC)
    with tf.GradientTape() as tape:
        distribution = tensor_distribution.as_tensor_distribution(
            tfd().Normal(loc, 2.0)
        )
        value = getattr(operator, name)(left, distribution)
    assert tf.is_tensor(value)
    np.testing.assert_allclose(
        value, getattr(operator, name)(left, LOC), rtol=1e-6
    )
    gradient = tape.gradient(value, loc)
    np.testing.assert_allclose(gradient, slope(left, LOC), rtol=1e-5)


def test_numpy_on_the_left_in_products_comparisons_and_traces():
    import tensorflow as tf

    left = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(left @ wrapped(), left @ LOC)
    compared = np.full((3, 1), 1.5, "float32") < wrapped()
    assert tf.is_tensor(compared)
    np.testing.assert_array_equal(compared, LOC > 1.5)
    traced = tf.function(lambda: np.sqrt(2.0) * wrapped())
    np.testing.assert_allclose(traced(), np.sqrt(2) * LOC, rtol=1e-6)


@pytest.mark.parametrize("other", ["number", "array", "tensor", "list"])
def test_equality_with_numbers_is_that_of_the_tensor(other):
    import tensorflow as tf

    other = {
        "number": np.float32(LOC[1, 0]),
        "array": LOC[::-1].copy(),
        "tensor": tf.constant(LOC[::-1].copy()),
        "list": LOC[::-1].tolist(),
    }[other]
    expected = LOC == np.array(other)
    assert expected.any() and not expected.all()
    for function in (lambda f: f(), lambda f: tf.function(f)()):
        for compare in (operator.eq, operator.ne):
            right = compare(expected, True)
            found = function(lambda: compare(wrapped(), other))
            np.testing.assert_array_equal(found, right)
            found = function(lambda: compare(other, wrapped()))
            np.testing.assert_array_equal(found, right)


def test_equality_with_other_objects_is_identity():
    one, other = wrapped(), wrapped()
    assert one == one and one != other and one != None and one != "mean"  # noqa: E711
    assert {one: 1}[one] == 1 and one in [other, one]


def test_a_list_of_distributions_becomes_a_tensor_with_gradient():
    import tensorflow as tf

    def stacked(loc):
        with tf.GradientTape() as tape:
            tape.watch(loc)
            parts = [
                tensor_distribution.as_tensor_distribution(
                    tfd().Normal(loc * factor, 2.0)
                )
                for factor in (1.0, 3.0)
            ]
            value = tf.stack(parts)
        return value, tape.gradient(value, loc)

    for function in (stacked, tf.function(stacked)):
        value, gradient = function(tf.constant(LOC))
        np.testing.assert_array_equal(value, np.stack([LOC, 3 * LOC]))
        np.testing.assert_array_equal(gradient, np.full_like(LOC, 4.0))


def test_the_truth_of_several_numbers_is_refused_as_of_a_tensor():
    import tensorflow as tf

    with pytest.raises(ValueError, match="ambiguous"):
        bool(wrapped())
    assert wrapped()[:1]
    with pytest.raises(TypeError, match="bool"):
        tf.function(lambda: bool(wrapped()), autograph=False)()


def test_dtype_is_that_of_the_tensor_value():
    bernoulli = tfd().Bernoulli(logits=LOC)
    value = tensor_distribution.as_tensor_distribution(bernoulli)
    assert value.dtype == "float32"
    assert value.sample().dtype == "int32"
    mode = tensor_distribution.as_tensor_distribution(bernoulli, "mode")
    assert mode.dtype == "int32"
    np.testing.assert_allclose(value.log_prob(1), bernoulli.log_prob(1))


def test_divergence_in_both_directions():
    other = tfd().Normal(0.0, 1.0)
    # KL(N(m, 2) || N(0, 1)) and KL(N(0, 1) || N(m, 2)).
    forward = (LOC**2 + 4 - 1) / 2 - np.log(2)
    backward = (LOC**2 + 1) / 8 - 0.5 + np.log(2)
    distribution = wrapped()
    for result in (
        tfd().kl_divergence(distribution, other),
        distribution.kl_divergence(other),
    ):
        np.testing.assert_allclose(result, forward, rtol=1e-5)
    for result in (
        tfd().kl_divergence(other, distribution),
        other.kl_divergence(distribution),
    ):
        np.testing.assert_allclose(result, backward, rtol=1e-5)
    np.testing.assert_allclose(
        tfd().kl_divergence(distribution, distribution), 0 * LOC
    )


def test_slices_are_distributions_of_the_slice():
    part = wrapped(unit_axes=1)[1:]
    np.testing.assert_array_equal(part.mean(), LOC[1:])
    np.testing.assert_array_equal(np.asarray(part), LOC[1:])
    assert part.unit_axes == 1
    assert wrapped(unit_axes=1)[..., 0].unit_axes == 0


def test_can_be_a_part_of_another_distribution():
    joint = tfd().Independent(wrapped(), 1)
    expected = tfd().Normal(LOC[:, 0], 2.0)
    np.testing.assert_allclose(
        joint.log_prob(LOC + 1), expected.log_prob(LOC[:, 0] + 1), rtol=1e-6
    )


def test_a_missing_method_is_named():
    with pytest.raises(ValueError, match="Normal distribution has no `probs_p"):
        wrapped(convert_to_tensor="probabilities")
