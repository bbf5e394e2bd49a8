import numpy as np
import pytest
from scipy import stats

from keras_rlkit.ops import prediction_scores as predicted


def tfd():
    import tensorflow_probability as tfp

    return tfp.distributions


@pytest.mark.tensorflow_only
@pytest.mark.parametrize(
    "name, parameters, reference",
    [
        ("Normal", (1.0, 2.0), stats.norm(1, 2)),
        ("StudentT", (4.0, 1.0, 2.0), stats.t(4, 1, 2)),
        ("LogNormal", (0.3, 0.8), stats.lognorm(0.8, scale=np.exp(0.3))),
        ("Poisson", (3.3,), stats.poisson(3.3)),
        ("NegativeBinomial", (4.0, 0.0), stats.nbinom(4, 0.5)),
        ("Bernoulli", (0.0,), stats.bernoulli(0.5)),
    ],
)
def test_probability_integral_transform(name, parameters, reference):
    targets = np.array([0, 1] if name == "Bernoulli" else [0, 1, 2, 5])
    distribution = getattr(tfd(), name)(*parameters)
    below, up_to = predicted.probability_integral_transform(
        targets, distribution
    )
    discrete = hasattr(reference.dist, "pmf")
    np.testing.assert_allclose(up_to, reference.cdf(targets), atol=2e-6)
    np.testing.assert_allclose(
        below, reference.cdf(targets - 1 if discrete else targets), atol=2e-6
    )


@pytest.mark.tensorflow_only
def test_transform_looks_at_each_output_alone():
    scale_tril = np.array([[2.0, 0.0], [3.0, 4.0]], "float32")
    joint = tfd().MultivariateNormalTriL([1.0, -1.0], scale_tril)
    independent = tfd().Independent(tfd().Normal([1.0, -1.0], [2.0, 5.0]), 1)
    targets = np.array([[2.0, 0.0]], "float32")
    expected = stats.norm.cdf([[0.5, 0.2]])
    for distribution in (joint, independent):
        _, up_to = predicted.probability_integral_transform(
            targets, distribution
        )
        np.testing.assert_allclose(up_to, expected, atol=1e-6)


@pytest.mark.tensorflow_only
def test_transform_needs_a_distribution_function():
    distribution = tfd().Dirichlet([1.0, 1.0])
    with pytest.raises(ValueError, match="with a `cdf`.*Dirichlet"):
        predicted.probability_integral_transform([[0.5, 0.5]], distribution)


@pytest.mark.tensorflow_only
def test_crps_takes_the_exact_formula_where_there_is_one():
    normal = tfd().Normal(1.0, 2.0)
    mixture = tfd().MixtureSameFamily(
        tfd().Categorical(probs=[0.3, 0.7]),
        tfd().Normal([1.0, 1.0], [2.0, 2.0]),
    )
    joint = tfd().MultivariateNormalTriL([1.0], [[2.0]])
    # E|X - y| - E|X - X'| / 2 with y at the mean: 2 (sqrt(2) - 1) / sqrt(pi).
    expected = 2 * (np.sqrt(2) - 1) / np.sqrt(np.pi)
    for distribution in (normal, mixture, joint):
        score = predicted.continuous_ranked_probability_score(
            np.array([1.0]), distribution, num_samples=2
        )
        np.testing.assert_allclose(score, [expected], rtol=1e-5)


@pytest.mark.tensorflow_only
def test_crps_of_a_bernoulli_is_the_brier_score():
    distribution = tfd().Bernoulli(probs=[0.2, 0.2])
    score = predicted.continuous_ranked_probability_score(
        np.array([1, 0]), distribution, num_samples=20_000, seed=(0, 0)
    )
    np.testing.assert_allclose(score, [0.64, 0.04], atol=0.02)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize(
    "make, expected",
    [
        (lambda d: d.Poisson(1e6), stats.poisson(1e6)),
        # 1 / 1025, so that the probability is a float32.
        (
            lambda d: d.NegativeBinomial(1e3, probs=1 - 2.0**-10),
            stats.nbinom(1e3, 2.0**-10),
        ),
        (lambda d: d.Binomial(4e6, probs=0.25), stats.binom(4e6, 0.25)),
    ],
)
def test_likelihood_of_large_counts(make, expected):
    # In float32 the terms of 1e7 leave an error of half a nat.
    y = np.full((1,), 1_001_000.0, "float32")
    value = predicted.negative_log_likelihood(y, make(tfd()))
    assert value.dtype == "float32"
    np.testing.assert_allclose(
        np.ravel(value), -expected.logpmf(y.astype("float64")), rtol=1e-4
    )
