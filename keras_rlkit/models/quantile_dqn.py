"""Distributional Q-learning with quantiles (QR-DQN)."""

from typing import Any

import keras

from keras_rlkit.layers.value_heads.quantile_value_head import (
    QuantileValueHead,
)
from keras_rlkit.models.distributional_agent import DistributionalAgent
from keras_rlkit.ops import distributional_target, quantile_huber_loss
from keras_rlkit.ops.arithmetic import to_float32
from keras_rlkit.utils import register


@register
class QuantileDQN(DistributionalAgent):
    """Learns quantiles of returns: QR-DQN.

    Wrap a Keras model that ends in `QuantileValueHead`, then `compile` with
    an optimizer and `fit` on batches of transitions, as with `DoubleDQN`.
    Calling the model gives Q values, the means of the quantiles. Unlike atoms,
    quantiles need no range of returns.

    Each gradient step moves the quantiles of the action taken towards those of
    `reward + discount * Z(s', a')`, by quantile regression with Huber's loss
    (threshold 1). The best mean chooses a'.

    Args:
        q_network: Built Keras model: observations [B, ...] to quantiles
            [B, num_actions, num_quantiles], its last layer
            `QuantileValueHead`.
        target_update_rate: Number in (0, 1], share of the way that the target
            weights move to the online weights at each gradient step. Not
            used where `target_update_period` is above 1. Defaults to 0.005.
        target_update_period: Positive integer. Above 1, the target weights
            are copied whole once in so many gradient steps. Defaults to 1.
        double: Whether the online network chooses the next action. `False`
            is the paper's: the target network chooses and values. Defaults to
            `True`.

    Input shape:
        As `DoubleDQN`.

    Output shape:
        Q values [B, num_actions].

    Logs:
        `loss`, with the network's regularisers; `td_error`, the mean absolute
        difference between the target's mean and Q(s, a), which is also what
        priorities are of; `q_value`, the mean over observations of the largest
        Q value.

    Raises:
        ValueError: If an argument is out of its range, or the network has
            another output or no such head.

    Example:

    ```python
    network = keras.Sequential([
        rlk.networks.mlp((4,), units=(32,)),
        rlk.layers.QuantileValueHead(2, num_quantiles=21),
    ])
    agent = rlk.models.QuantileDQN(network, target_update_rate=0.01)
    agent.compile("adam")
    observation = np.random.normal(size=(64, 4))
    transitions = {
        "action": np.random.randint(2, size=64),
        "reward": np.ones(64),
        "discount": np.full(64, 0.99),
        "next_observation": observation + 0.1,
    }
    agent.fit(observation, transitions, verbose=0)
    agent.return_distribution(observation).shape  # (64, 2, 21)
    ```

    Reference:
        Dabney et al., Distributional Reinforcement Learning with Quantile
        Regression, algorithm 1, https://arxiv.org/abs/1710.10044
    """

    head_class = QuantileValueHead

    @property
    def taus(self) -> Any:
        """Probabilities of the quantiles, float32 [num_quantiles]."""
        return self._head.taus

    def q_of(self, output: Any) -> Any:
        """Return the means of quantiles, Q values [..., A].

        Args:
            output: Quantiles [..., A, num_quantiles].
        """
        return keras.ops.mean(to_float32(output), axis=-1)

    def return_distribution(self, observation: Any) -> Any:
        """Return the quantiles of the return of each action.

        Args:
            observation: As the network takes it, [B, ...].

        Returns:
            float32 tensor [B, num_actions, num_quantiles], for `taus`.
        """
        return to_float32(self._online_output(observation))

    def target_distribution(self, transition: dict[str, Any]) -> Any:
        """Return the target's quantiles; see `DistributionalAgent`."""
        return distributional_target(
            transition["reward"],
            transition["discount"],
            self.next_distribution(transition),
        )

    def distance(self, target: Any, selected: Any) -> tuple[Any, Any, Any]:
        """Return the quantile loss, and the TD error twice.

        Args:
            target: Quantiles [B, num_quantiles].
            selected: Quantiles [B, num_quantiles].
        """
        loss = quantile_huber_loss(selected, self.taus, target)
        td_error = keras.ops.mean(target, -1) - keras.ops.mean(selected, -1)
        return loss, td_error, td_error
