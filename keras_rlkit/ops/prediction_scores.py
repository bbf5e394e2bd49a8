"""How well a predicted distribution fits a target.

Works on any object with the methods of a TFP distribution, and imports none.
"""

from typing import Any

from keras import ops

from keras_rlkit.ops import (
    exact_crps,
    marginal_distributions,
    predicted_samples,
    scoring_rules,
)
from keras_rlkit.ops.distribution_parts import (
    kind,
    unwrapped,
)

_COUNTS = ("Binomial", "NegativeBinomial", "Poisson")


def negative_log_likelihood(targets: Any, distribution: Any) -> Any:
    """Return the negative log likelihood of each event.

    Args:
        targets: Tensor of the distribution's shape, in its dtype.
        distribution: The predicted distribution.

    Returns:
        Float tensor of the batch shape.
    """
    base = unwrapped(distribution)
    if kind(base) not in _COUNTS:
        return -distribution.log_prob(targets)
    # A small difference of large numbers.
    precise = marginal_distributions.in_float64(base)
    log_probability = precise.log_prob(ops.cast(targets, precise.dtype))
    return ops.cast(-log_probability, marginal_distributions.float_type(base))


def probability_integral_transform(
    targets: Any, distribution: Any
) -> tuple[Any, Any]:
    """Return P(Y < target) and P(Y <= target) under the prediction.

    Of a joint distribution, each output's own distribution is taken.

    Args:
        targets: Tensor of the distribution's shape.
        distribution: The predicted distribution.

    Returns:
        Two float tensors like `targets`, equal for continuous distributions.

    Raises:
        ValueError: If the distribution has no distribution function, or that
            of its single outputs isn't known.
    """
    return marginal_distributions.distribution_function(targets, distribution)


def continuous_ranked_probability_score(
    targets: Any, distribution: Any, num_samples: int, seed: Any = None
) -> Any:
    """Return the continuous ranked probability score of each target.

    Each output of a joint distribution is scored by itself. Exact where there
    is a formula, otherwise estimated from samples.

    Args:
        targets: Tensor of the distribution's shape.
        distribution: The predicted distribution.
        num_samples: Integer > 1, samples per target where there are any.
        seed: Seed for them, as the distribution's `sample` takes it.

    Returns:
        Float tensor like `targets`, in their units.
    """
    score = exact_crps.exact_crps(targets, distribution)
    if score is not None:
        return score
    samples = predicted_samples.draw(targets, distribution, num_samples, seed)
    return scoring_rules.sample_crps(
        ops.cast(targets, "float32"), ops.cast(samples, "float32")
    )
