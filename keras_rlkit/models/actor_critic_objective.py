"""The terms that an actor-critic's loss consists of, per sample."""

from typing import Any

import keras

from keras_rlkit.models.policy_outputs import entropy_of, log_probability_of
from keras_rlkit.ops import (
    clipped_surrogate_loss,
    clipped_value_loss,
    kl_estimate,
    probability_ratio,
    score_function_loss,
    value_loss,
)
from keras_rlkit.ops.replicas import mean_over_replicas
from keras_rlkit.utils import check_positive_number


def check_settings(
    clip: Any,
    value_weight: Any,
    entropy_weight: Any,
    value_clip: Any,
    target_kl: Any,
) -> None:
    """Raise if a number in the objective is out of its range.

    Args:
        clip: As `ActorCritic` takes it.
        value_weight: As `ActorCritic` takes it.
        entropy_weight: As `ActorCritic` takes it.
        value_clip: As `ActorCritic` takes it.
        target_kl: As `ActorCritic` takes it.

    Raises:
        ValueError: If one is.
    """
    check_positive_number("value_weight", value_weight)
    if entropy_weight != 0:
        check_positive_number("entropy_weight", entropy_weight)
    for name, value in (
        ("clip", clip),
        ("value_clip", value_clip),
        ("target_kl", target_kl),
    ):
        if value is not None:
            check_positive_number(name, value)
    if target_kl is not None and clip is None:
        raise ValueError(
            "`target_kl` needs `clip`, PPO's several steps on the same "
            f"data. Received: target_kl={target_kl}, clip=None."
        )


def objective_terms(
    agent: Any, targets: dict[str, Any], outputs: dict[str, Any]
) -> dict[str, Any]:
    """Return policy loss, value loss, entropy and, for PPO, the KL estimate.

    Args:
        agent: `ActorCritic`, whose settings choose the terms.
        targets: Dictionary of a batch.
        outputs: What calling the agent gave.

    Returns:
        Tensors [B] by name.
    """
    mask = targets.get("action_mask")
    log_probability = log_probability_of(
        agent.distribution, outputs["policy"], targets["action"], mask
    )
    advantage, before = targets["advantage"], targets["log_probability"]
    terms = {}
    if agent.clip is None:
        policy = score_function_loss(log_probability, advantage)
    else:
        ratio = probability_ratio(log_probability, before)
        policy = clipped_surrogate_loss(ratio, advantage, agent.clip)
        terms["kl"] = kl_estimate(log_probability, before)
    if agent.value_clip is None:
        value = value_loss(outputs["value"], targets["value_target"])
    else:
        value = clipped_value_loss(
            outputs["value"],
            targets["value"],
            targets["value_target"],
            agent.value_clip,
        )
    return {
        "policy_loss": policy,
        "value_loss": value,
        "entropy": entropy_of(agent.distribution, outputs["policy"], mask),
        **terms,
    }


def weighted_mean(values: Any, sample_weight: Any) -> Any:
    """Return the mean of values times weights, over all replicas.

    Args:
        values: Tensor [B].
        sample_weight: Tensor [B], or `None`.
    """
    if sample_weight is not None:
        values = values * keras.ops.cast(sample_weight, values.dtype)
    return mean_over_replicas(values)
