"""One entry for each head: what a new head adds to be tested throughout."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special, stats

import keras_rlkit as rlk


def positive(raw, minimum):
    return minimum + np.logaddexp(0, raw + np.log(np.e - 1))


@dataclasses.dataclass
class Case:
    """A head with arguments that aren't its defaults.

    `log_likelihood` is the one of single targets under raw parameters, by
    SciPy; `floors` names the attributes of the distribution that never fall
    below a number.
    """

    make: Callable
    distribution: str
    num_parameters: int
    target_shape: tuple
    log_likelihood: Callable
    draw_targets: Callable
    floors: dict = dataclasses.field(default_factory=dict)
    has_quantile: bool = True
    value_shape: tuple | None = None


def numbers(rng, shape):
    return rng.normal(size=shape)


def positives(rng, shape):
    return np.exp(rng.normal(size=shape))


def counts(rng, shape):
    return rng.poisson(3, size=shape)


def fixed_normal(raw, y):
    return stats.norm.logpdf(y, raw, 2.5).sum()


def normal(raw, y):
    mean, scale = raw[:2], positive(raw[2:], 0.01)
    return stats.norm.logpdf(y, mean, scale).sum()


def student_t(raw, y):
    location, scale, degrees = raw[:2], raw[2:4], raw[4:]
    scale, degrees = positive(scale, 0.01), positive(degrees, 3.0)
    return stats.t.logpdf(y, degrees, location, scale).sum()


def fixed_student_t(raw, y):
    return stats.t.logpdf(y, 4.0, raw[0], positive(raw[1], 1e-3)).sum()


def log_normal(raw, y):
    scale = positive(raw[2:], 0.01)
    return stats.lognorm.logpdf(y, scale, scale=np.exp(raw[:2])).sum()


def mixture_normal(raw, y):
    logits, means, scales = raw.reshape(3, 2, 3)
    means = means + [-1, 0, 1]
    scales = positive(scales, 0.01)
    parts = stats.norm.logpdf(y[:, None], means, scales)
    weights = logits - special.logsumexp(logits, axis=1, keepdims=True)
    return special.logsumexp(weights + parts, axis=1).sum()


def multivariate_normal(raw, y):
    mean, scale = raw[:3], positive(raw[3:6], 0.01)
    a, b, c = 30 * np.tanh(raw[6:] / 30)
    factor = scale[:, None] * [[1, 0, 0], [a, 1, 0], [b, c, 1]]
    return stats.multivariate_normal.logpdf(y, mean, factor @ factor.T)


def poisson(raw, y):
    return stats.poisson.logpmf(y, positive(raw, 0.01)).sum()


def negative_binomial(raw, y):
    mean, total = positive(raw[:2], 0.01), positive(raw[2:], 0.02)
    return stats.nbinom.logpmf(y, total, total / (total + mean)).sum()


def bernoulli(raw, y):
    return stats.bernoulli.logpmf(y, special.expit(raw)).sum()


def categorical(raw, y):
    return np.log(special.softmax(raw))[y]


L = rlk.layers
CASES = {
    "normal": Case(
        make=lambda: L.NormalHead(2, min_scale=0.01),
        distribution="Normal",
        num_parameters=4,
        target_shape=(2,),
        log_likelihood=normal,
        draw_targets=numbers,
        floors={"scale": 0.01},
    ),
    "normal_with_fixed_scale": Case(
        make=lambda: L.NormalHead(2, scale=2.5, convert_to_tensor="mode"),
        distribution="Normal",
        num_parameters=2,
        target_shape=(2,),
        log_likelihood=fixed_normal,
        draw_targets=numbers,
        floors={"scale": 2.5},
    ),
    "normal_with_constant_scale": Case(
        make=lambda: L.NormalHead(scale="constant", min_scale=1.5),
        distribution="Normal",
        num_parameters=1,
        target_shape=(1,),
        # The learned scale starts at its floor plus one.
        log_likelihood=fixed_normal,
        draw_targets=numbers,
        floors={"scale": 1.5},
    ),
    "student_t": Case(
        make=lambda: L.StudentTHead(
            2, min_scale=0.01, min_degrees_of_freedom=3.0
        ),
        distribution="StudentT",
        num_parameters=6,
        target_shape=(2,),
        log_likelihood=student_t,
        draw_targets=numbers,
        floors={"scale": 0.01, "df": 3.0},
    ),
    "student_t_with_fixed_degrees": Case(
        make=lambda: L.StudentTHead(degrees_of_freedom=4),
        distribution="StudentT",
        num_parameters=2,
        target_shape=(1,),
        log_likelihood=fixed_student_t,
        draw_targets=numbers,
        floors={"scale": 1e-3, "df": 4.0},
    ),
    "log_normal": Case(
        make=lambda: L.LogNormalHead(2, min_scale=0.01),
        distribution="LogNormal",
        num_parameters=4,
        target_shape=(2,),
        log_likelihood=log_normal,
        draw_targets=positives,
        floors={"scale": 0.01},
    ),
    "mixture_normal": Case(
        make=lambda: L.MixtureNormalHead(2, 3, min_scale=0.01),
        distribution="MixtureSameFamily",
        num_parameters=18,
        target_shape=(2,),
        log_likelihood=mixture_normal,
        draw_targets=numbers,
        floors={"components_distribution.scale": 0.01},
        has_quantile=False,
    ),
    "multivariate_normal": Case(
        make=lambda: L.MultivariateNormalHead(3, min_scale=0.01),
        distribution="MultivariateNormalTriL",
        num_parameters=9,
        target_shape=(3,),
        log_likelihood=multivariate_normal,
        draw_targets=numbers,
        floors={"stddev": 0.01},
        has_quantile=False,
    ),
    "poisson": Case(
        make=lambda: L.PoissonHead(2, min_rate=0.01),
        distribution="Poisson",
        num_parameters=2,
        target_shape=(2,),
        log_likelihood=poisson,
        draw_targets=counts,
        floors={"rate": 0.01},
        has_quantile=False,
    ),
    "negative_binomial": Case(
        make=lambda: L.NegativeBinomialHead(
            2, min_mean=0.01, min_total_count=0.02
        ),
        distribution="NegativeBinomial",
        num_parameters=4,
        target_shape=(2,),
        log_likelihood=negative_binomial,
        draw_targets=counts,
        floors={"mean": 0.01, "total_count": 0.02},
        has_quantile=False,
    ),
    "bernoulli": Case(
        make=lambda: L.BernoulliHead(2, convert_to_tensor="probabilities"),
        distribution="Bernoulli",
        num_parameters=2,
        target_shape=(2,),
        log_likelihood=bernoulli,
        draw_targets=lambda rng, shape: rng.integers(0, 2, size=shape),
        has_quantile=False,
    ),
    "categorical": Case(
        make=lambda: L.CategoricalHead(5),
        distribution="Categorical",
        num_parameters=5,
        target_shape=(),
        log_likelihood=categorical,
        draw_targets=lambda rng, shape: rng.integers(0, 5, size=shape),
        has_quantile=False,
        value_shape=(5,),
    ),
}

# All arguments that a head has beside its defaults, for `check_head`.
RNG = np.random.default_rng(0)
CONTRACT = {
    L.NormalHead: {
        "arguments": {"units": 2, "scale": "constant", "min_scale": 0.5},
        "targets": numbers(RNG, (8, 2)),
        "bad": {"units": [0], "scale": ["wide", -1.0], "min_scale": [0]},
    },
    L.StudentTHead: {
        "arguments": {
            "units": 2,
            "degrees_of_freedom": 4.0,
            "min_scale": 0.01,
            "min_degrees_of_freedom": 3.0,
        },
        "targets": numbers(RNG, (8, 2)),
        "bad": {
            "units": [0],
            "degrees_of_freedom": [-1],
            "min_scale": [0],
            "min_degrees_of_freedom": [0],
        },
    },
    L.LogNormalHead: {
        "arguments": {"units": 2, "min_scale": 0.01},
        "targets": positives(RNG, (8, 2)),
        "bad": {"units": [0], "min_scale": [0]},
    },
    L.MixtureNormalHead: {
        "arguments": {"units": 2, "num_components": 3, "min_scale": 0.01},
        "targets": numbers(RNG, (8, 2)),
        "bad": {"units": [0], "num_components": [0], "min_scale": [0]},
    },
    L.MultivariateNormalHead: {
        "arguments": {"units": 3, "min_scale": 0.01},
        "targets": numbers(RNG, (8, 3)),
        "bad": {"units": [0], "min_scale": [0]},
    },
    L.PoissonHead: {
        "arguments": {"units": 2, "min_rate": 0.01},
        "targets": counts(RNG, (8, 2)),
        "bad": {"units": [0], "min_rate": [0]},
    },
    L.NegativeBinomialHead: {
        "arguments": {"units": 2, "min_mean": 0.01, "min_total_count": 0.02},
        "targets": counts(RNG, (8, 2)),
        "bad": {"units": [0], "min_mean": [0], "min_total_count": [0]},
    },
    L.BernoulliHead: {
        "arguments": {
            "units": 2,
            "convert_to_tensor": "probabilities",
            "kernel_initializer": "glorot_normal",
        },
        "targets": RNG.integers(0, 2, size=(8, 2)),
        "bad": {"units": [0], "convert_to_tensor": ["median"]},
    },
    L.CategoricalHead: {
        "arguments": {
            "num_classes": 5,
            "convert_to_tensor": "mode",
            "kernel_initializer": "glorot_normal",
        },
        "targets": RNG.integers(0, 5, size=8),
        "bad": {"num_classes": [0], "convert_to_tensor": ["median"]},
    },
}


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
