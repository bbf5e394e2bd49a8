"""Agents whose loss is their own."""

from typing import Any


def check_no_loss(agent: Any, options: dict[str, Any], instead: str) -> None:
    """Raise if `compile` is given a loss or metrics that an agent can't use.

    Args:
        agent: The agent, for the message.
        options: What `compile` was given.
        instead: What to set instead, as it stands in the message.

    Raises:
        ValueError: If there is a loss, weights of losses, or metrics.
    """
    for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
        if options.get(name) is not None:
            raise ValueError(
                f"`{name}` is not used: `{type(agent).__name__}` has its own "
                f"loss and metrics. Received: {name}={options[name]!r}. "
                f"{instead}"
            )
