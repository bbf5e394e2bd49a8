"""The form of targets, by the kind of distribution.

What TFP's density functions don't tell, since they take any numbers.
"""

from typing import Any

from keras import ops

# How far parts may be from adding up to 1, or a vector from length 1.
TOLERANCE = 1e-3


def ancestors(distribution: Any) -> list[str]:
    """Return the names of the distribution's class and its bases."""
    # TFP has an `_Independent` beside `Independent`, and others like it.
    return [cls.__name__.lstrip("_") for cls in type(distribution).__mro__]


def kind(distribution: Any) -> str:
    """Return the name of the distribution's class."""
    return ancestors(distribution)[0]


def is_binary(values: Any, distribution: Any) -> Any:
    """Return which values are 0 or 1."""
    return (values == 0) | (values == 1)


def _is_count(values, distribution):
    return (values >= 0) & ops.equal(values, ops.floor(values))


def _is_class(values, distribution):
    if kind(distribution) == "StoppingRatioLogistic":
        num_classes = distribution.cutpoints.shape[-1] + 1
    else:
        num_classes = distribution.probs_parameter().shape[-1]
    return _is_count(values, distribution) & (values < num_classes)


def _is_permutation(values, distribution):
    places = ops.arange(values.shape[-1], dtype=values.dtype)
    return ops.all(ops.sort(values, axis=-1) == places, axis=-1)


def _is_one_hot(values, distribution):
    binary = ops.all((values == 0) | (values == 1), axis=-1)
    return binary & (ops.sum(values, axis=-1) == 1)


def adds_up_to_one(values: Any, distribution: Any) -> Any:
    """Return which vectors hold positive parts of 1."""
    total = ops.sum(values, axis=-1)
    return ops.all(values > 0, axis=-1) & (ops.abs(total - 1) < TOLERANCE)


def has_length_one(values: Any, distribution: Any) -> Any:
    """Return which vectors have length 1."""
    return ops.abs(ops.sum(values**2, axis=-1) - 1) < TOLERANCE


def _adds_up_to_count(values, distribution):
    counts = ops.all(_is_count(values, distribution), axis=-1)
    return counts & (ops.sum(values, axis=-1) == distribution.total_count)


def has_probability(values: Any, distribution: Any) -> Any:
    """Return which values the distribution lists."""
    return ops.isfinite(distribution.log_prob(values))


# Where TFP takes any numbers, or lists the possible ones.
RULES = {
    "Bernoulli": is_binary,
    "Categorical": _is_class,
    "Deterministic": has_probability,
    "Dirichlet": adds_up_to_one,
    "DirichletMultinomial": _adds_up_to_count,
    "Empirical": has_probability,
    "FiniteDiscrete": has_probability,
    "FlatDirichlet": adds_up_to_one,
    "Multinomial": _adds_up_to_count,
    "OneHotCategorical": _is_one_hot,
    "PlackettLuce": _is_permutation,
    "PoissonLogNormalQuadratureCompound": _is_count,
    "PowerSpherical": has_length_one,
    "ProbitBernoulli": is_binary,
    "RelaxedOneHotCategorical": adds_up_to_one,
    "SphericalUniform": has_length_one,
    "StoppingRatioLogistic": _is_class,
    "VonMisesFisher": has_length_one,
}
# For some parameters the density is finite at the edge of the support, but its
# gradient never is.
OPEN = (
    "Beta",
    "Chi",
    "Chi2",
    "Gamma",
    "GammaGamma",
    "Kumaraswamy",
    "NoncentralChi2",
    "PERT",
    "RelaxedBernoulli",
    "Weibull",
)
_COUNT = "a whole number from 0 up"
_COUNTS = "whole numbers from 0 up that add up to `total_count`"
_PARTS = "numbers above 0 that add up to 1"
_POSITIVE = "a finite number above 0"
_UNIT = "a number between 0 and 1"
_UNIT_VECTOR = "a vector of length 1"
WORDS = {
    "Bernoulli": "0 or 1",
    "Beta": _UNIT,
    "Dirichlet": _PARTS,
    "DirichletMultinomial": _COUNTS,
    "Exponential": "a finite number from 0 up",
    "FlatDirichlet": _PARTS,
    "Gamma": _POSITIVE,
    "Geometric": _COUNT,
    "InverseGamma": _POSITIVE,
    "LogNormal": _POSITIVE,
    "LogitNormal": _UNIT,
    "Multinomial": _COUNTS,
    "NegativeBinomial": _COUNT,
    "OneHotCategorical": "a vector with one 1, and 0 elsewhere",
    "PlackettLuce": "a permutation of the whole numbers from 0 up",
    "Poisson": _COUNT,
    "PoissonLogNormalQuadratureCompound": _COUNT,
    "PowerSpherical": _UNIT_VECTOR,
    "ProbitBernoulli": "0 or 1",
    "RelaxedOneHotCategorical": _PARTS,
    "SphericalUniform": _UNIT_VECTOR,
    "VonMisesFisher": _UNIT_VECTOR,
    "Weibull": _POSITIVE,
}
