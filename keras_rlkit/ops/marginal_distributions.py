"""Each single output's own distribution inside a joint one.

A prediction of several outputs may be independent by output, multivariate
normal, or a mixture of such: coverage, calibration and scores look at the
outputs one by one. Works on any object with the methods of a TFP distribution.
"""

from typing import Any

from keras import ops

from keras_rlkit.ops import scoring_rules
from keras_rlkit.ops.distribution_parts import (
    inner_distribution,
    kind,
    kinds,
)
from keras_rlkit.ops.mixture_components import (
    by_component,
    component_axis,
    component_weights,
    mixture_components,
)

# Their distribution functions are incomplete gamma and beta functions, which
# TensorFlow gives in float32 with an error of 0.04 for `Poisson(1e5)`.
_NEED_FLOAT64 = (
    "Beta",
    "Binomial",
    "Chi2",
    "Gamma",
    "InverseGamma",
    "NegativeBinomial",
    "Poisson",
    "StudentT",
)

_STEPS_ANYWHERE = ("Deterministic", "Empirical", "FiniteDiscrete")

_OTHER_SHAPE = ("BatchBroadcast", "BatchReshape")


def distribution_function(targets: Any, distribution: Any) -> tuple[Any, Any]:
    """Return P(Y < target) and P(Y <= target), each output by itself.

    Args:
        targets: Tensor of the distribution's shape.
        distribution: The predicted distribution.

    Returns:
        Two float tensors like `targets`, equal where Y is continuous.

    Raises:
        ValueError: If the distribution function of single outputs isn't known.
    """
    base = inner_distribution(distribution)
    if mixture_components(base):
        weights = component_weights(base)
        axis = component_axis(base)
        below, up_to = (
            ops.sum(ops.cast(weights, values.dtype) * values, axis=axis)
            for values in by_component(base, distribution_function, targets)
        )
        return below, up_to
    if _is_multivariate_normal(base):
        mean, deviation = normal_parameters(base)
        z = (ops.cast(targets, base.dtype) - mean) / deviation
        up_to = scoring_rules.normal_cdf(z)
        return up_to, up_to
    if len(base.event_shape) > 0:
        raise ValueError(
            "Coverage and calibration need a distribution with a `cdf` of each "
            "single output. Known are `Independent` outputs, multivariate "
            "normal ones and mixtures of both. "
            f"Received: a joint {kind(base)} distribution of event_shape="
            f"{tuple(base.event_shape)}."
        )
    return _scalar_distribution_function(targets, base)


def normal_parameters(base: Any) -> tuple[Any, Any] | None:
    """Return mean and deviation of each output, or None if not normal."""
    if kind(base) == "Normal":
        return base.loc, base.scale
    if not _is_multivariate_normal(base):
        return None
    factor = getattr(base, "scale", None)
    if type(factor).__name__ != "LinearOperatorLowerTriangular":
        return base.mean(), base.stddev()
    # Not `stddev`: the squares of 1e20 are too large for float32.
    factor = factor.to_dense()
    largest = ops.max(ops.abs(factor), axis=-1, keepdims=True)
    length = ops.sqrt(ops.sum((factor / largest) ** 2, axis=-1))
    return base.mean(), largest[..., 0] * length


def _is_multivariate_normal(base):
    return kind(base).startswith("MultivariateNormal")


def _scalar_distribution_function(targets, base):
    targets = ops.cast(targets, base.dtype)
    steps = _steps(base)
    precise = in_float64(base)
    if precise is not base:
        targets = ops.cast(targets, "float64")
    try:
        up_to = below = up_to_target(targets, precise)
        if steps == "whole":
            below = up_to_target(targets - 1, precise)
        elif steps == "anywhere":
            below = up_to - precise.prob(targets)
    except (AttributeError, NotImplementedError) as error:
        raise ValueError(
            "Coverage and calibration need a distribution with a `cdf`. "
            f"Received: a {kind(base)} distribution."
        ) from error
    dtype = float_type(base)
    return ops.cast(below, dtype), ops.cast(up_to, dtype)


def up_to_target(targets: Any, base: Any) -> Any:
    """Return P(Y <= target) of a distribution of single outputs."""
    up_to = base.cdf(targets)
    if kind(base) == "Poisson":
        rate = base.rate_parameter()
        # TensorFlow's incomplete gamma function ends too early there.
        many = scoring_rules.poisson_cdf_of_many(targets, rate)
        up_to = ops.where(rate > 1e5, many, up_to)
    return up_to


def _steps(base):
    """Where the distribution function has steps: nowhere is None."""
    if kind(base) in _STEPS_ANYWHERE:
        return "anywhere"
    if "DiscreteDistributionMixin" in kinds(base):
        return "whole"
    parts = mixture_components(base)
    if not parts and hasattr(base, "distribution"):
        parts = [inner_distribution(base.distribution)]
    steps = {_steps(part) for part in parts} - {None}
    if not steps:
        return None
    if kind(base) in _OTHER_SHAPE and steps == {"whole"}:
        return "whole"
    raise ValueError(
        "Coverage and calibration of counts and classes need their "
        "distribution itself, not one that is made from it: predict that, "
        "and transform the targets. "
        f"Received: a {kind(base)} of a distribution with steps."
    )


def float_type(base: Any) -> str:
    """Return the type of the distribution's probabilities."""
    name = getattr(base.dtype, "name", str(base.dtype))
    return name if "float" in name else "float32"


def in_float64(base: Any) -> Any:
    """Return the same distribution in float64 where float32 isn't enough."""
    if kind(base) not in _NEED_FLOAT64 or float_type(base) == "float64":
        return base
    numbers = {
        name: ops.cast(value, "float64")
        for name, value in base.parameters.items()
        if value is not None and not isinstance(value, (bool, str))
    }
    return base.copy(**numbers)
