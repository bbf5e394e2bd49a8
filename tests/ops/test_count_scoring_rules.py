import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from keras_rlkit.ops import count_scoring_rules


def tensor(*values):
    return ops.convert_to_tensor(values, dtype="float32")


def crps_by_summation(distribution, target):
    """Sum of (F(k) - [target <= k])^2 over whole numbers, the definition."""
    k = np.arange(int(distribution.ppf(1 - 1e-12)) + int(target) + 50)
    return np.sum((distribution.cdf(k) - (target <= k)) ** 2)


@pytest.mark.parametrize("rate", [0.05, 3.5, 60.0, 2e4])
def test_poisson_crps_is_the_sum_of_its_definition(rate):
    distribution = stats.poisson(rate)
    targets = distribution.ppf([1e-3, 0.5, 0.9999])
    expected = [crps_by_summation(distribution, y) for y in targets]
    result = count_scoring_rules.poisson_crps(
        tensor(*targets),
        tensor(*[rate] * 3),
        tensor(*distribution.pmf(targets)),
        tensor(*distribution.cdf(targets)),
    )
    np.testing.assert_allclose(np.array(result), expected, rtol=1e-5)


@pytest.mark.parametrize("mean", [0.1, 4.0, 900.0])
@pytest.mark.parametrize("total_count", [0.2, 2.5, 80.0, 1e5])
def test_negative_binomial_crps_is_the_sum_of_its_definition(mean, total_count):
    probability = total_count / (total_count + mean)
    distribution = stats.nbinom(total_count, probability)
    targets = distribution.ppf([1e-3, 0.5, 0.9999])
    expected = [crps_by_summation(distribution, y) for y in targets]
    result = count_scoring_rules.negative_binomial_crps(
        tensor(*targets),
        tensor(*[mean] * 3),
        tensor(*[total_count] * 3),
        tensor(*distribution.pmf(targets)),
        tensor(*distribution.cdf(targets)),
    )
    np.testing.assert_allclose(np.array(result), expected, rtol=3e-5)


def test_categorical_crps_by_hand():
    # F is 0.2, 0.5, 1: of class 0 the squares are 0.8^2 and 0.5^2, of class 1
    # 0.2^2 and 0.5^2, of class 2 0.2^2 and 0.5^2.
    result = count_scoring_rules.categorical_crps(
        tensor(0, 1, 2), tensor(*[[0.2, 0.3, 0.5]] * 3)
    )
    np.testing.assert_allclose(np.array(result), [0.89, 0.29, 0.29], rtol=1e-6)


def test_crps_of_two_classes_is_the_brier_score():
    result = count_scoring_rules.categorical_crps(
        tensor(0, 1), tensor([0.8, 0.2], [0.8, 0.2])
    )
    np.testing.assert_allclose(np.array(result), [0.04, 0.64], rtol=1e-6)


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="asks JAX for gradients"
)
def test_gradients_are_finite_at_any_size():
    import jax

    sizes = tensor(1e-6, 1e-3, 1.0, 1e3, 1e6)
    half = tensor(*[0.5] * 5)

    def total(mean, total_count):
        scores = count_scoring_rules.negative_binomial_crps(
            tensor(0, 0, 1, 1e3, 1e6), mean, total_count, half, half
        ) + count_scoring_rules.poisson_crps(
            tensor(0, 0, 1, 1e3, 1e6), mean, half, half
        )
        return ops.sum(scores)

    for counts in (sizes, sizes[::-1]):
        for gradient in jax.grad(total, argnums=(0, 1))(sizes, counts):
            assert np.isfinite(gradient).all()
