"""What density functions don't tell: the form that targets have by name.

Works on any object with the methods of a TFP distribution, and imports none.
"""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_rlkit.ops.distribution_parts import (
    block_distributions,
    has_component_axis,
    independent_outputs,
    kind,
    kinds,
    on_whole_numbers,
)

# How far parts may be from adding up to 1, or a vector from length 1.
_TOLERANCE = 1e-3


def describe_support(distribution: Any) -> str:
    """Say in words which targets `in_support` accepts."""
    distribution, _ = independent_outputs(distribution)
    if has_component_axis(distribution):
        return describe_support(distribution.components_distribution)
    if hasattr(distribution, "components"):
        return describe_support(distribution.components[-1])
    parts = block_distributions(distribution)
    if parts:
        return f"a vector of {', '.join(map(describe_support, parts))}"
    if kind(distribution) == "Categorical":
        num_classes = distribution.probs_parameter().shape[-1]
        return f"a class number from 0 to {num_classes - 1}"
    for name in kinds(distribution):
        if name in _WORDS:
            return _WORDS[name]
    if rule(distribution) is _has_probability:
        return "one of its outcomes"
    if on_whole_numbers(distribution):
        return "a whole number with a probability above 0"
    return "a finite number with a density above 0"


def rule(distribution: Any) -> Callable | None:
    """Return the function of values and distribution that knows the form."""
    names = (name for name in kinds(distribution) if name in _RULES)
    return _RULES.get(next(names, None))


def _is_binary(values, distribution):
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
    """Return which vectors are positive parts of 1."""
    total = ops.sum(values, axis=-1)
    return ops.all(values > 0, axis=-1) & (ops.abs(total - 1) < _TOLERANCE)


def has_length_one(values: Any, distribution: Any) -> Any:
    """Return which vectors are of length 1."""
    return ops.abs(ops.sum(values**2, axis=-1) - 1) < _TOLERANCE


def _adds_up_to_count(values, distribution):
    counts = ops.all(_is_count(values, distribution), axis=-1)
    return counts & (ops.sum(values, axis=-1) == distribution.total_count)


def _has_probability(values, distribution):
    return ops.isfinite(distribution.log_prob(values))


# Where TFP takes any numbers, or lists the possible ones.
_RULES = {
    "Bernoulli": _is_binary,
    "Categorical": _is_class,
    "Deterministic": _has_probability,
    "Dirichlet": adds_up_to_one,
    "DirichletMultinomial": _adds_up_to_count,
    "Empirical": _has_probability,
    "FiniteDiscrete": _has_probability,
    "FlatDirichlet": adds_up_to_one,
    "Multinomial": _adds_up_to_count,
    "OneHotCategorical": _is_one_hot,
    "PlackettLuce": _is_permutation,
    "PoissonLogNormalQuadratureCompound": _is_count,
    "PowerSpherical": has_length_one,
    "ProbitBernoulli": _is_binary,
    "RelaxedOneHotCategorical": adds_up_to_one,
    "SphericalUniform": has_length_one,
    "StoppingRatioLogistic": _is_class,
    "VonMisesFisher": has_length_one,
}
_COUNT = "a whole number from 0 up"
_COUNTS = "whole numbers from 0 up that add up to `total_count`"
_PARTS = "numbers above 0 that add up to 1"
_POSITIVE = "a finite number above 0"
_UNIT = "a number between 0 and 1"
_UNIT_VECTOR = "a vector of length 1"
_WORDS = {
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
