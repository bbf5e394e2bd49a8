"""Pictures of the returns that an agent expects."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rlkit.plots.axes import check_axes


def return_distribution(
    agent: Any,
    observation: Any,
    action_names: Sequence[str] | None = None,
    axes: Any = None,
) -> Any:
    """Draw the distribution of the return of each action in one state.

    A step curve for each action tells how probable a return up to some number
    is; a dashed line of the same colour stands at its mean, the Q value.

    Args:
        agent: `CategoricalDQN` or `QuantileDQN`.
        observation: One observation, without a batch axis, as an array.
        action_names: Names of the actions for the legend, or `None` for their
            numbers. Defaults to `None`.
        axes: Matplotlib axes to draw on. Defaults to new ones.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: If the agent doesn't learn distributions, or there isn't
            one name for each action.

    Example:

    ```python
    network = keras.Sequential([
        rlk.networks.mlp((4,), units=(32,)),
        rlk.layers.QuantileValueHead(2),
    ])
    agent = rlk.models.QuantileDQN(network)
    axes = rlk.plots.return_distribution(
        agent, np.zeros(4), action_names=["left", "right"]
    )
    axes.figure.savefig("returns.png")
    ```
    """
    if not hasattr(agent, "return_distribution"):
        raise ValueError(
            "`agent` must learn distributions, as `CategoricalDQN` and "
            f"`QuantileDQN` do. Received: agent={type(agent).__name__}."
        )
    batch = np.asarray(observation)[np.newaxis]
    distribution = np.asarray(agent.return_distribution(batch))[0]
    means = np.asarray(agent(batch))[0]
    if action_names is None:
        action_names = [f"action {number}" for number in range(len(means))]
    if len(action_names) != len(means):
        raise ValueError(
            f"`action_names` must have a name for each of {len(means)} "
            f"actions. Received: action_names={action_names}."
        )
    axes = check_axes(axes)
    for numbers, mean, name in zip(distribution, means, action_names):
        if hasattr(agent, "atoms"):
            values, heights = np.asarray(agent.atoms), np.cumsum(numbers)
        else:
            # Nothing keeps learned quantiles in order.
            values, heights = np.sort(numbers), np.asarray(agent.taus)
        (line,) = axes.step(values, heights, where="post", label=name)
        axes.axvline(mean, color=line.get_color(), linestyle="--", linewidth=1)
    axes.set_xlabel("return")
    axes.set_ylabel("probability of at most that")
    axes.legend(frameon=False)
    return axes
