import keras
import numpy as np
import pytest
from keras import ops
from scipy import integrate, special, stats

from keras_rlkit.ops import scoring_rules
from tests.ops.test_calibration import (
    tensor,
)


def crps_by_integration(distribution, target):
    """Integral of (F(x) - [target <= x])^2, the definition."""
    low, high = target - 60, target + 60
    below, _ = integrate.quad(lambda x: distribution.cdf(x) ** 2, low, target)
    above, _ = integrate.quad(
        lambda x: (1 - distribution.cdf(x)) ** 2, target, high
    )
    return below + above


def test_normal_crps_is_the_integral_of_its_definition():
    cases = [(0.0, 0.0, 1.0), (3.0, 1.0, 0.5), (-2.0, 1.0, 4.0)]
    expected = [
        crps_by_integration(stats.norm(mean, scale), y)
        for y, mean, scale in cases
    ]
    y, mean, scale = (tensor(*column) for column in zip(*cases))
    result = scoring_rules.normal_crps(y, mean, scale)
    np.testing.assert_allclose(np.array(result), expected, rtol=1e-4)


def test_normal_crps_without_spread_is_the_absolute_error():
    result = scoring_rules.normal_crps(tensor(5.0), tensor(2.0), tensor(1e-6))
    np.testing.assert_allclose(np.array(result), [3.0], rtol=1e-5)


def test_mixture_crps_is_the_integral_of_its_definition():
    weights, means, scales = [0.2, 0.5, 0.3], [-3.0, 0.0, 2.0], [0.5, 1.0, 2.0]

    class Mixture:
        def cdf(self, x):
            parts = zip(weights, means, scales)
            return sum(w * stats.norm(m, s).cdf(x) for w, m, s in parts)

    targets = [-3.0, 0.5, 6.0]
    expected = [crps_by_integration(Mixture(), y) for y in targets]
    result = scoring_rules.normal_mixture_crps(
        tensor(*targets),
        *(tensor(*[row] * 3) for row in (weights, means, scales)),
    )
    np.testing.assert_allclose(np.array(result), expected, rtol=1e-4)


@pytest.mark.parametrize("unit", [1e-30, 1e-20, 1e20, 1e30])
def test_crps_is_in_the_units_of_the_targets(unit):
    # At any scale that float32 has, though squares of it may not be.
    weights, means, scales = [0.2, 0.8], [-3.0, 2.0], [0.5, 2.0]
    plain, scaled = (
        scoring_rules.normal_mixture_crps(
            tensor(0.7) * size,
            tensor(weights),
            tensor(means) * size,
            tensor(scales) * size,
        )
        for size in (1.0, unit)
    )
    np.testing.assert_allclose(
        np.array(scaled) / unit, np.array(plain), rtol=1e-5
    )


def test_mixture_crps_of_components_that_differ_in_scale():
    # Beside 1e20, the score of N(0, 1e-20) is 0: with weights of a half, that
    # of N(0, s) at 0 is s (sqrt(2 / pi) / 2 - (2 sqrt(2 / pi) + 2 / sqrt(pi))
    # / 8), s = 1e20.
    result = scoring_rules.normal_mixture_crps(
        tensor(0.0),
        tensor([0.5, 0.5]),
        tensor([0.0, 0.0]),
        tensor([1e-20, 1e20]),
    )
    expected = 1e20 * (np.sqrt(2 / np.pi) / 4 - 1 / np.sqrt(np.pi) / 4)
    np.testing.assert_allclose(np.array(result), [expected], rtol=1e-5)


def test_mixture_crps_without_spread_is_that_of_points():
    # E|X - 1| = (1 + 2) / 2, E|X - X'| = 3 / 2: 1.5 - 0.75.
    result = scoring_rules.normal_mixture_crps(
        tensor(1.0), tensor([0.5, 0.5]), tensor([0.0, 3.0]), tensor([0.0, 0.0])
    )
    np.testing.assert_allclose(np.array(result), [0.75], rtol=1e-6)


@pytest.mark.parametrize("scale", [0.1, 0.8, 3.0, 12.0])
def test_log_normal_crps_is_the_integral_of_its_definition(scale):
    # Over z with x = exp(0.3 + scale z).
    def part(probability, low, high):
        return integrate.quad(
            lambda z: probability(z) ** 2 * scale * np.exp(0.3 + scale * z),
            low,
            high,
            epsabs=0,
            limit=200,
        )[0]

    standard = [-2.0, 0.5, 3.0]
    expected = [
        part(stats.norm.cdf, -15, z) + part(stats.norm.sf, z, scale / 2 + 15)
        for z in standard
    ]
    targets = np.exp(0.3 + scale * np.array(standard))
    result = scoring_rules.log_normal_crps(
        tensor(*targets), tensor(*[0.3] * 3), tensor(*[scale] * 3)
    )
    np.testing.assert_allclose(np.array(result), expected, rtol=2e-5)


def test_log_normal_crps_at_zero_and_below():
    # E|X - y| - E|X - X'| / 2 = m - y - m erf(1 / 2) with the mean m.
    mean = np.exp(0.5)
    expected = mean * (1 - special.erf(0.5)) - np.array([0.0, -2.0])
    result = scoring_rules.log_normal_crps(
        tensor(0.0, -2.0), tensor(0.0, 0.0), tensor(1.0, 1.0)
    )
    np.testing.assert_allclose(np.array(result), expected, rtol=1e-5)


@pytest.mark.parametrize("degrees", [0.8, 1.5, 4.0, 50.0, 1e6])
def test_student_t_crps_is_the_integral_of_its_definition(degrees):
    distribution = stats.t(degrees, 1, 2)
    targets = [-30.0, 1.0, 5.0]
    expected = [
        integrate.quad(lambda x: distribution.cdf(x) ** 2, -np.inf, y)[0]
        + integrate.quad(lambda x: distribution.sf(x) ** 2, y, np.inf)[0]
        for y in targets
    ]
    result = scoring_rules.student_t_crps(
        tensor(*targets),
        *(tensor(*[number] * 3) for number in (degrees, 1.0, 2.0)),
        tensor(*distribution.cdf(targets)),
    )
    np.testing.assert_allclose(np.array(result), expected, rtol=1e-5)


def test_student_t_crps_is_infinite_where_the_integral_is():
    numbers = [tensor(value) for value in (0.0, 0.5, 0.0, 1.0, 0.5)]
    result = scoring_rules.student_t_crps(*numbers)
    assert np.array(result).tolist() == [np.inf]


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="asks JAX for gradients"
)
def test_gradients_of_scores_are_finite_at_any_size():
    import jax

    sizes = tensor(1e-3, 1.0, 10.0, 1e3, 1e6)
    half = tensor(*[0.5] * 5)

    def total(location, scale):
        scores = scoring_rules.student_t_crps(
            half, scale + 0.6, location, scale, half
        )
        scores += scoring_rules.normal_mixture_crps(
            half, tensor(*[[0.5, 0.5]] * 5), location[:, None], scale[:, None]
        )
        small = ops.minimum(scale, 10.0)
        scores += scoring_rules.log_normal_crps(
            half, ops.minimum(location, 20.0), small
        )
        return ops.sum(scores)

    for locations in (sizes, sizes[::-1], -sizes, 0 * sizes):
        for gradient in jax.grad(total, argnums=(0, 1))(locations, sizes):
            assert np.isfinite(gradient).all()


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("rate", [1e4, 1e6, 1e8])
def test_poisson_cdf_of_many(rate):
    targets = np.floor(rate + np.sqrt(rate) * np.array([-3, -1, 0, 2]))
    result = scoring_rules.poisson_cdf_of_many(
        ops.convert_to_tensor(targets), ops.full((4,), rate, "float64")
    )
    np.testing.assert_allclose(
        np.array(result), stats.poisson.cdf(targets, rate), atol=1e-6
    )


def test_sample_crps_by_hand():
    # Samples 1, 2, 6, target 3: mean |x - y| = (2 + 1 + 3) / 3 = 2; the pairs
    # are 1, 5 and 4 apart, mean 10 / 3, and 2 - 5 / 3 = 1 / 3.
    samples = ops.convert_to_tensor([[6.0], [1.0], [2.0]])
    result = scoring_rules.sample_crps(tensor(3.0), samples)
    np.testing.assert_allclose(np.array(result), [1 / 3], rtol=1e-6)


def test_sample_crps_has_no_bias():
    samples = np.random.default_rng(0).normal(size=(4, 20_000))
    result = scoring_rules.sample_crps(
        ops.full((20_000,), 0.7), ops.convert_to_tensor(samples, "float32")
    )
    exact = crps_by_integration(stats.norm(), 0.7)
    assert abs(float(ops.mean(result)) - exact) < 0.01
