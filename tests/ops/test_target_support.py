import numpy as np
import pytest
from keras import ops

from keras_rlkit.ops import target_forms, target_replacement, target_support

pytestmark = pytest.mark.tensorflow_only


def tfd():
    import tensorflow_probability as tfp

    return tfp.distributions


SCALARS = [
    ("Normal", (0.0, 1.0), [-3.5, 0.0], [np.nan, np.inf, 1e30]),
    ("Poisson", (1.0,), [0, 7], [-1, 0.5, np.nan]),
    ("NegativeBinomial", (1.0, 0.0), [0, 7], [-1, 0.5]),
    ("Geometric", (0.0,), [0, 7], [-1, 0.5]),
    ("Skellam", (1.0, 2.0), [-2, 7], [0.5]),
    ("Bernoulli", (0.0,), [0, 1], [2, 0.5, -1]),
    ("Categorical", ([0.0, 0.0, 0.0],), [0, 2], [3, -1, 1.5, np.nan]),
    ("FiniteDiscrete", ([0.5, 2.0], [0.0, 0.0]), [0.5, 2.0], [1.0, 0.0]),
    ("LogNormal", (0.0, 1.0), [0.1, 3.0, 1e38], [0.0, -1.0, np.inf]),
    ("Gamma", (1.0, 1.0), [0.1, 3.0], [0.0, -1.0]),
    ("Beta", (1.0, 1.0), [0.1, 0.9], [0.0, 1.0]),
    ("Uniform", (0.0, 1.0), [0.0, 0.9, 1.0], [-0.1, 1.1]),
    ("HalfNormal", (1.0,), [0.0, 2.0], [-0.1]),
    ("Exponential", (1.0,), [0.0, 2.0], [-0.1]),
    ("Pareto", (2.0, 1.0), [1.0, 2.0], [0.9]),
    ("GeneralizedPareto", (0.0, 1.0, 0.3), [0.0, 9.0], [-0.1]),
    ("TruncatedNormal", (0.0, 1.0, -1.0, 2.0), [-1.0, 2.0], [-1.1, 2.1]),
    # An angle, in any turn.
    ("VonMises", (0.0, 1.0), [-3.0, 6.0], [np.nan]),
]


@pytest.mark.parametrize("name, parameters, possible, impossible", SCALARS)
def test_support(name, parameters, possible, impossible):
    distribution = getattr(tfd(), name)(*parameters)
    targets = np.array([*possible, *impossible], "float32")
    result = target_support.in_support(targets, distribution)
    expected = [True] * len(possible) + [False] * len(impossible)
    assert np.array(result).tolist() == expected
    assert target_forms.describe_support(distribution)


def wholes():
    """Distributions of vectors and mixtures: possible and impossible ones."""
    d = tfd()
    even = d.Categorical(logits=[0.0, 0.0])
    two = np.zeros((2, 2), "float32")
    return {
        "dirichlet": (d.Dirichlet([1.0, 2.0]), [0.2, 0.8], [0.2, 0.9]),
        "one_hot": (d.OneHotCategorical(logits=[0.0, 0.0]), [0, 1], [1, 1]),
        "multinomial": (d.Multinomial(3.0, logits=[0.0, 0.0]), [1, 2], [1, 1]),
        "sphere": (d.VonMisesFisher([1.0, 0.0], 2.0), [0.6, 0.8], [1.0, 1.0]),
        "permutation": (d.PlackettLuce([1.0, 2.0]), [1, 0], [0, 0]),
        "independent": (
            d.Independent(d.Poisson([1.0, 2.0]), 1),
            [1, 0],
            [0.5, 0],
        ),
        "sample": (d.Sample(d.Exponential(1.0), 2), [1.0, 0.0], [1.0, -1.0]),
        "mixture_of_counts": (
            d.MixtureSameFamily(even, d.Independent(d.Poisson(two + 1), 1)),
            [1, 0],
            [1, 0.5],
        ),
        "mixture_of_all": (
            d.Mixture(even, [d.Exponential(1.0), d.Uniform(-1.0, 0.0)]),
            -0.5,
            -1.5,
        ),
        "inflated": (
            d.Inflated(d.Poisson(2.0), inflated_loc_probs=0.3),
            0,
            0.5,
        ),
        "blockwise": (
            d.Blockwise(
                [
                    d.Normal(0.0, 1.0),
                    d.Categorical(logits=[0.0, 0.0]),
                    d.Independent(d.Exponential([1.0, 2.0]), 1),
                ],
                dtype_override="float32",
            ),
            [-2.0, 1.0, 0.5, 0.0],
            [-2.0, 1.0, -0.5, 0.0],
        ),
        "blockwise_count": (
            d.Blockwise([d.Normal(0.0, 1.0), d.Poisson(1.0)]),
            [-2.0, 1.0],
            [-2.0, 0.5],
        ),
        "covariance": (
            d.WishartTriL(3.0, np.eye(2, dtype="float32")),
            [[2.0, 0.1], [0.1, 1.0]],
            [[1.0, 2.0], [2.0, 1.0]],
        ),
    }


@pytest.mark.parametrize(
    "name",
    [
        "dirichlet",
        "one_hot",
        "multinomial",
        "sphere",
        "permutation",
        "independent",
        "sample",
        "mixture_of_counts",
        "mixture_of_all",
        "inflated",
        "blockwise",
        "blockwise_count",
        "covariance",
    ],
)
def test_support_of_vectors_and_mixtures(name):
    distribution, possible, impossible = wholes()[name]
    targets = np.array([possible, impossible], "float32")
    result = target_support.in_support(targets, distribution)
    assert np.array(result).tolist() == [True, False]
    assert target_forms.describe_support(distribution)
    replaced = target_replacement.replace_targets(
        ops.convert_to_tensor(targets), np.array([True, False]), distribution
    )
    np.testing.assert_array_equal(replaced[0], targets[0])
    # Finite, and possible wherever TFP tells the mode, the mean or a way there.
    assert np.isfinite(distribution.log_prob(replaced)).all()
    if name != "multinomial":
        assert np.all(target_support.in_support(replaced, distribution))


@pytest.mark.parametrize("name, parameters", [row[:2] for row in SCALARS])
def test_replaced_targets_are_possible(name, parameters):
    distribution = getattr(tfd(), name)(*parameters)
    targets = ops.convert_to_tensor([[np.nan, 1e30], [-1e30, np.inf]])
    keep = ops.zeros((2, 2), "bool")
    replaced = target_replacement.replace_targets(targets, keep, distribution)
    assert np.array(target_support.in_support(replaced, distribution)).all()
    assert replaced.dtype == distribution.dtype


def test_whole_numbers_beyond_an_integer_dtype_are_impossible():
    head = tfd().Categorical(logits=[0.0, 0.0])
    # 2^32 would be 0 in int32.
    targets = ops.convert_to_tensor(np.array([2**32, 1]), "int64")
    result = target_support.in_support(targets, head)
    assert np.array(result).tolist() == [False, True]
