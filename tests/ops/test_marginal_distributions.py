import numpy as np
import pytest
from scipy import stats

import keras_rlkit as rlk
from keras_rlkit.ops import prediction_scores as predicted

pytestmark = pytest.mark.tensorflow_only


def tfd():
    import tensorflow_probability as tfp

    return tfp.distributions


def floats(*values):
    return np.array(values, "float32")


# Two components over two outputs: weights, means, standard deviations.
WEIGHTS = floats(0.3, 0.7)
MEANS = floats([-1.0, 2.0], [0.5, 3.0])
SCALES = floats([1.0, 0.5], [2.0, 1.5])
TARGETS = floats([0.0, 2.5], [-2.0, 3.0])


def component(scale=SCALES):
    return tfd().Independent(tfd().Normal(MEANS, scale), 1)


def with_correlation():
    factor = np.zeros((2, 2, 2), "float32")
    factor[:, 0, 0], factor[:, 1, 0] = SCALES[:, 0], 0.6 * SCALES[:, 1]
    factor[:, 1, 1] = 0.8 * SCALES[:, 1]
    return tfd().MultivariateNormalTriL(MEANS, factor)


def of_one_family(components):
    return tfd().MixtureSameFamily(tfd().Categorical(probs=WEIGHTS), components)


JOINT = {
    "independent": lambda: of_one_family(component()),
    "diagonal": lambda: of_one_family(
        tfd().MultivariateNormalDiag(MEANS, SCALES)
    ),
    "correlated": lambda: of_one_family(with_correlation()),
    "of several": lambda: tfd().Mixture(
        tfd().Categorical(probs=WEIGHTS),
        [
            tfd().Independent(tfd().Normal(MEANS[0], SCALES[0]), 1),
            tfd().MultivariateNormalDiag(MEANS[1], SCALES[1]),
        ],
    ),
    "by output": lambda: tfd().Independent(
        tfd().Independent(
            tfd().MixtureSameFamily(
                tfd().Categorical(probs=WEIGHTS),
                tfd().Normal(MEANS.T, SCALES.T),
            ),
            0,
        ),
        1,
    ),
}


@pytest.mark.parametrize("make", JOINT.values(), ids=JOINT)
def test_transform_of_a_joint_mixture_is_each_outputs(make):
    expected = sum(
        weight * stats.norm.cdf(TARGETS, mean, scale)
        for weight, mean, scale in zip(WEIGHTS, MEANS, SCALES)
    )
    below, up_to = predicted.probability_integral_transform(TARGETS, make())
    np.testing.assert_allclose(up_to, expected, atol=1e-6)
    np.testing.assert_array_equal(below, up_to)


def mean_distance(mean, scale):
    z = mean / scale
    return mean * (2 * stats.norm.cdf(z) - 1) + 2 * scale * stats.norm.pdf(z)


@pytest.mark.parametrize("make", JOINT.values(), ids=JOINT)
def test_crps_of_a_joint_mixture_is_each_outputs(make):
    expected = sum(
        weight * mean_distance(TARGETS - mean, scale)
        for weight, mean, scale in zip(WEIGHTS, MEANS, SCALES)
    ) - 0.5 * sum(
        WEIGHTS[i]
        * WEIGHTS[j]
        * mean_distance(MEANS[i] - MEANS[j], np.hypot(SCALES[i], SCALES[j]))
        for i in range(2)
        for j in range(2)
    )
    score = predicted.continuous_ranked_probability_score(TARGETS, make(), 2)
    np.testing.assert_allclose(score, expected, rtol=1e-5)


def test_crps_of_a_mixture_with_one_number_for_all_components():
    # One scale or mean: the score is that of all components written out.
    y = floats([0.7], [2.0])

    def score(weights, mean, scale):
        mixture = tfd().MixtureSameFamily(
            tfd().Categorical(probs=weights), tfd().Normal(mean, scale)
        )
        return predicted.continuous_ranked_probability_score(y, mixture, 2)

    for mean, scale in ((floats(0.0, 2.0), 0.5), (1.0, floats(0.5, 2.0))):
        written_out = [
            np.broadcast_to(np.float32(numbers), (2, 1, 2))
            for numbers in (WEIGHTS, mean, scale)
        ]
        np.testing.assert_allclose(
            score(WEIGHTS, mean, scale), score(*written_out), rtol=1e-6
        )


@pytest.mark.parametrize("unit", [1e-20, 1e20])
def test_multivariate_normal_in_any_units(unit):
    # The deviation of the second output is 5: the squares don't fit float32.
    factor = floats([2.0, 0.0], [3.0, 4.0]) * np.float32(unit)
    joint = tfd().MultivariateNormalTriL(floats(0.0, 0.0), factor)
    targets = floats([1.0, 0.0]) * np.float32(unit)
    _, up_to = predicted.probability_integral_transform(targets, joint)
    np.testing.assert_allclose(up_to, stats.norm.cdf([[0.5, 0.0]]), atol=1e-6)
    score = predicted.continuous_ranked_probability_score(targets, joint, 2)
    expected = 5 * (np.sqrt(2) - 1) / np.sqrt(np.pi)
    np.testing.assert_allclose(score[0, 1] / unit, expected, rtol=1e-5)


def test_repeated_outputs():
    repeated = tfd().Sample(tfd().Normal(floats(0.0, 1.0), 2.0), 3)
    targets = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)
    below, up_to = predicted.probability_integral_transform(targets, repeated)
    expected = stats.norm.cdf(targets, [[0.0], [1.0]], 2.0)
    np.testing.assert_allclose(up_to, expected, atol=1e-6)
    score = predicted.continuous_ranked_probability_score(targets, repeated, 2)
    assert score.shape == (2, 3)


def inflated(of, at=0.0):
    return tfd().Inflated(of, inflated_loc_probs=0.25, inflated_loc=at)


POISSON = stats.poisson(2.0)
# Distribution, targets, and P(Y < y) and P(Y <= y) by hand.
STEPS = {
    "mixture of Poisson": (
        lambda: of_one_family(tfd().Poisson(floats(2.0, 5.0))),
        [0, 3],
        lambda y: 0.3 * POISSON.cdf(y - 1) + 0.7 * stats.poisson.cdf(y - 1, 5),
        lambda y: 0.3 * POISSON.cdf(y) + 0.7 * stats.poisson.cdf(y, 5),
    ),
    "zero-inflated Poisson": (
        lambda: inflated(tfd().Poisson(2.0)),
        [0, 1, 4],
        lambda y: 0.25 * (y > 0) + 0.75 * POISSON.cdf(y - 1),
        lambda y: 0.25 + 0.75 * POISSON.cdf(y),
    ),
    "zero-inflated log-normal": (
        lambda: inflated(tfd().LogNormal(0.0, 1.0)),
        [0.0, 1.0],
        lambda y: 0.25 * (y > 0) + 0.75 * stats.lognorm.cdf(y, 1),
        lambda y: 0.25 + 0.75 * stats.lognorm.cdf(y, 1),
    ),
    "around a head": (
        lambda: tfd().Independent(rlk.layers.PoissonHead()(np.zeros((1, 2)))),
        [0],
        lambda y: 0 * y,
        lambda y: np.exp(-1.001) + 0 * y,
    ),
    "in another": (
        lambda: tfd().Independent(
            tfd().Independent(tfd().Poisson(np.full((1, 1, 2), 2.0)), 1), 1
        ),
        [[[0, 3]]],
        lambda y: POISSON.cdf(y - 1),
        lambda y: POISSON.cdf(y),
    ),
    "reshaped": (
        lambda: tfd().BatchReshape(tfd().Poisson(floats(2.0, 2.0)), [2, 1]),
        [[0], [3]],
        lambda y: POISSON.cdf(y - 1),
        lambda y: POISSON.cdf(y),
    ),
    "unevenly spaced": (
        lambda: tfd().FiniteDiscrete(
            floats(0.0, 0.5, 4.0), probs=floats(0.2, 0.5, 0.3)
        ),
        [0.0, 0.5, 4.0],
        lambda y: np.array([0.0, 0.2, 0.7]),
        lambda y: np.array([0.2, 0.7, 1.0]),
    ),
}


@pytest.mark.parametrize("case", STEPS.values(), ids=STEPS)
def test_steps_are_seen_wherever_they_are(case):
    make, targets, expected_below, expected_up_to = case
    targets = floats(*targets)
    below, up_to = predicted.probability_integral_transform(targets, make())
    np.testing.assert_allclose(
        np.squeeze(below), np.squeeze(expected_below(targets)), atol=1e-6
    )
    np.testing.assert_allclose(
        np.squeeze(up_to), np.squeeze(expected_up_to(targets)), atol=1e-6
    )


REFUSED = {
    "Dirichlet": lambda: of_one_family(tfd().Dirichlet(np.ones((2, 2)))),
    "Multinomial": lambda: tfd().Multinomial(5.0, floats([0.0, 0.0])),
    "VonMisesFisher": lambda: tfd().VonMisesFisher(floats([1.0, 0.0]), 1.0),
    "Skellam": lambda: tfd().Skellam(floats([1.0, 1.0]), 1.0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unknown_distributions_of_outputs_are_refused(name):
    with pytest.raises(ValueError, match=f"need a distribution.*{name}"):
        predicted.probability_integral_transform(
            np.ones((1, 2)), REFUSED[name]()
        )


def test_what_is_made_of_counts_is_refused():
    import tensorflow_probability as tfp

    shifted = tfp.bijectors.Shift(1.0)(tfd().Poisson(floats(2.0)))
    with pytest.raises(ValueError, match="transform the targets.*Transformed"):
        predicted.probability_integral_transform(floats(1.0), shifted)


@pytest.mark.parametrize(
    "make, reference",
    [
        (lambda: tfd().Poisson(1e5), stats.poisson(1e5)),
        (lambda: tfd().Poisson(2e6), stats.poisson(2e6)),
        (
            lambda: tfd().NegativeBinomial(1e6, logits=np.log(1e-6, dtype="f")),
            stats.poisson(1.0),
        ),
        (lambda: tfd().Gamma(1e5, 1.0), stats.gamma(1e5)),
    ],
)
def test_distribution_functions_of_large_parameters(make, reference):
    targets = reference.ppf([0.1, 0.5, 0.9])
    _, up_to = predicted.probability_integral_transform(targets, make())
    # Where float32 has the targets.
    expected = reference.cdf(np.float32(targets))
    np.testing.assert_allclose(up_to, expected, atol=1e-5)


def crps_by_summation(reference, y, step=1.0):
    k = np.arange(0, 400, step)
    return np.sum((reference.cdf(k) - (k >= y)) ** 2) * step


@pytest.mark.parametrize(
    "make, reference",
    [
        (lambda: tfd().Poisson(log_rate=np.log(3.5)), stats.poisson(3.5)),
        (
            lambda: tfd().NegativeBinomial(2.5, probs=0.6),
            stats.nbinom(2.5, 0.4),
        ),
        (lambda: tfd().Bernoulli(probs=0.3), stats.bernoulli(0.3)),
        (
            lambda: tfd().Categorical(probs=[0.5, 0.2, 0.3]),
            stats.rv_discrete(values=([0, 1, 2], [0.5, 0.2, 0.3])),
        ),
    ],
)
def test_exact_crps_of_counts_and_classes(make, reference):
    targets = np.array([0, 1, 1], "float32")
    expected = [crps_by_summation(reference, y) for y in targets]
    score = predicted.continuous_ranked_probability_score(targets, make(), 2)
    np.testing.assert_allclose(score, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: tfd().Poisson(p),
        lambda p: tfd().NegativeBinomial(p, logits=-p),
        lambda p: tfd().LogNormal(p, p),
        lambda p: tfd().StudentT(2 + p, p, p),
        lambda p: tfd().MixtureSameFamily(
            tfd().Categorical(logits=p[:, None] * [1.0, -1.0]),
            tfd().Normal(p[:, None] * [1.0, 2.0], p[:, None]),
        ),
    ],
)
def test_exact_crps_has_a_gradient(make):
    import tensorflow as tf

    parameters = tf.constant([1e-3, 0.5, 4.0])

    def score(parameters):
        return predicted.continuous_ranked_probability_score(
            floats(0.0, 2.0, 3.0), make(parameters), 2
        )

    with tf.GradientTape() as tape:
        tape.watch(parameters)
        scores = score(parameters)
    gradient = tape.gradient(scores, parameters)
    assert np.isfinite(gradient).all()
    step = 1e-2 * parameters
    slope = (score(parameters + step) - score(parameters - step)) / (2 * step)
    np.testing.assert_allclose(gradient, slope, rtol=2e-2, atol=1e-3)


def test_crps_of_a_joint_distribution_without_a_formula_is_each_outputs():
    # The outputs of this Dirichlet are uniform: y^2 / 2 + (1 - y)^2 / 2 - 1/6.
    y = floats([0.2, 0.8])
    score = predicted.continuous_ranked_probability_score(
        y, tfd().Dirichlet(floats([1.0, 1.0])), 20_000, seed=(0, 1)
    )
    expected = (y**2 + (1 - y) ** 2) / 2 - 1 / 6
    np.testing.assert_allclose(score, expected, atol=0.01)


def test_crps_of_mixtures_of_negative_binomials_under_xla():
    import tensorflow as tf

    y = floats([2.0], [2.0], [9.0])
    references = stats.nbinom(3, 0.5), stats.nbinom(20, 0.5)

    class Reference:
        def cdf(self, k):
            return 0.3 * references[0].cdf(k) + 0.7 * references[1].cdf(k)

    @tf.function(jit_compile=True)
    def score():
        # Over events of one output, with the same components in all rows.
        mixture = tfd().MixtureSameFamily(
            tfd().Categorical(probs=np.broadcast_to(WEIGHTS, (3, 2))),
            tfd().Independent(
                tfd().NegativeBinomial(floats([3.0], [20.0]), logits=0.0), 1
            ),
        )
        return predicted.continuous_ranked_probability_score(
            y, mixture, 500, tf.constant([0, 1])
        )

    expected = [crps_by_summation(Reference(), value) for value in y[:, 0]]
    scores = np.array(score())[:, 0]
    np.testing.assert_allclose(scores, expected, rtol=0.2)
    # Rows are drawn by themselves.
    assert scores[0] != scores[1]
