"""Continuous ranked probability scores of predicted distributions.

Each output of a joint distribution is scored by itself.
"""

from typing import Any

from keras import ops

from keras_rlkit.ops import count_scoring_rules, scoring_rules
from keras_rlkit.ops import marginal_distributions as marginals
from keras_rlkit.ops import mixture_components as mixtures
from keras_rlkit.ops.distribution_parts import inner_distribution, kind


def exact_crps(targets: Any, distribution: Any) -> Any:
    """Return the continuous ranked probability score, each output by itself.

    Args:
        targets: Tensor of the distribution's shape.
        distribution: The predicted distribution.

    Returns:
        Float tensor like `targets`, or None where there is no formula.
    """
    base = inner_distribution(distribution)
    if mixtures.mixture_components(base):
        parameters = _normal_mixture_parameters(targets, base)
        if parameters is None:
            return None
        targets = ops.cast(targets, base.dtype)
        return scoring_rules.normal_mixture_crps(targets, *parameters)
    parameters = marginals.normal_parameters(base)
    if parameters is not None:
        targets = ops.cast(targets, base.dtype)
        return scoring_rules.normal_crps(targets, *parameters)
    if kind(base) not in _EXACT:
        return None
    score = _EXACT[kind(base)](ops.cast(targets, "float64"), base)
    return ops.cast(score, marginals.float_type(base))


def _normal_mixture_parameters(targets, mixture):
    """Weights, means and scales, `(..., K)`, or None if others take part."""
    parts = mixtures.mixture_components(mixture)
    if any(marginals.normal_parameters(part) is None for part in parts):
        return None

    def parameters(targets, part):
        mean, scale = marginals.normal_parameters(part)
        zeros = ops.zeros_like(ops.cast(targets, mean.dtype))
        return mean + zeros, scale + zeros

    means, scales = mixtures.by_component(mixture, parameters, targets)
    axis = mixtures.component_axis(mixture)
    weights = ops.cast(mixtures.component_weights(mixture), means.dtype)
    # Any of them may be one number for all components or targets.
    zeros = sum(map(ops.zeros_like, (means, scales, weights)))
    return [
        ops.moveaxis(values + zeros, axis, -1)
        for values in (weights, means, scales)
    ]


def _log_normal_crps(targets, base):
    location, scale = (
        ops.cast(value, "float64") for value in (base.loc, base.scale)
    )
    return scoring_rules.log_normal_crps(targets, location, scale)


def _student_t_crps(targets, base):
    base = marginals.in_float64(base)
    return scoring_rules.student_t_crps(
        targets, base.df, base.loc, base.scale, base.cdf(targets)
    )


def _poisson_crps(targets, base):
    base = marginals.in_float64(base)
    return count_scoring_rules.poisson_crps(
        targets,
        base.rate_parameter(),
        base.prob(targets),
        marginals.up_to_target(targets, base),
    )


def _negative_binomial_crps(targets, base):
    base = marginals.in_float64(base)
    return count_scoring_rules.negative_binomial_crps(
        targets,
        base.mean(),
        base.total_count,
        base.prob(targets),
        base.cdf(targets),
    )


def _bernoulli_crps(targets, base):
    probability = ops.cast(base.probs_parameter(), "float64")
    return count_scoring_rules.categorical_crps(
        targets, ops.stack([1 - probability, probability], axis=-1)
    )


def _categorical_crps(targets, base):
    return count_scoring_rules.categorical_crps(
        targets, ops.cast(base.probs_parameter(), "float64")
    )


# Functions of targets and distribution, in float64.
_EXACT = {
    "Bernoulli": _bernoulli_crps,
    "Categorical": _categorical_crps,
    "LogNormal": _log_normal_crps,
    "NegativeBinomial": _negative_binomial_crps,
    "Poisson": _poisson_crps,
    "StudentT": _student_t_crps,
}
