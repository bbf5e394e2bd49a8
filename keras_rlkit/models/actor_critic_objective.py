"""The terms that an actor-critic's loss consists of, per sample."""

from typing import Any

from keras_rlkit.models.policy_outputs import entropy_of, log_probability_of
from keras_rlkit.ops import (
    clipped_surrogate_loss,
    clipped_value_loss,
    kl_estimate,
    probability_ratio,
    score_function_loss,
    value_loss,
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
