"""Distributional Q-learning with fixed atoms (C51)."""

from typing import Any

import keras

from keras_rlkit.layers.value_heads.categorical_value_head import (
    CategoricalValueHead,
)
from keras_rlkit.models.distributional_agent import DistributionalAgent
from keras_rlkit.ops import (
    categorical_divergence,
    categorical_projection,
    distributional_target,
)
from keras_rlkit.ops.arithmetic import to_float32
from keras_rlkit.utils import register


@register
class CategoricalDQN(DistributionalAgent):
    """Learns the probabilities of returns: C51.

    Wrap a Keras model that ends in `CategoricalValueHead`, then `compile` with
    an optimizer and `fit` on batches of transitions, as with `DoubleDQN`.
    Calling the model gives Q values, the means of the distributions.

    Each gradient step moves the distribution of the action taken towards that
    of `reward + discount * Z(s', a')`, projected onto the atoms, by their
    cross-entropy. The best mean chooses a'.

    Args:
        q_network: Built Keras model: observations [B, ...] to logits
            [B, num_actions, num_atoms], its last layer `CategoricalValueHead`.
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
        difference between the target's mean and Q(s, a); `q_value`, the mean
        over observations of the largest Q value. Priorities are divergences
        of the distribution from its target, in nats.

    Raises:
        ValueError: If an argument is out of its range, or the network has
            another output or no such head.

    Example:

    ```python
    network = keras.Sequential([
        rlk.networks.mlp((4,), units=(32,)),
        rlk.layers.CategoricalValueHead(2, num_atoms=21, value_range=(0, 50)),
    ])
    agent = rlk.models.CategoricalDQN(network, target_update_rate=0.01)
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
        Bellemare, Dabney and Munos, A Distributional Perspective on
        Reinforcement Learning, algorithm 1, https://arxiv.org/abs/1707.06887;
        priorities: Hessel et al., Rainbow, section "The Integrated Agent",
        https://arxiv.org/abs/1710.02298
    """

    head_class = CategoricalValueHead

    @property
    def atoms(self) -> Any:
        """The returns whose probabilities are learned, float32 [num_atoms]."""
        return self._head.atoms

    def q_of(self, output: Any) -> Any:
        """Return the means of distributions, Q values [..., A].

        Args:
            output: Logits [..., A, num_atoms].
        """
        return self._mean(keras.ops.softmax(to_float32(output)))

    def return_distribution(self, observation: Any) -> Any:
        """Return the probabilities of the atoms for each action.

        Args:
            observation: As the network takes it, [B, ...].

        Returns:
            float32 tensor [B, num_actions, num_atoms], for `atoms`.
        """
        return keras.ops.softmax(to_float32(self._online_output(observation)))

    def target_distribution(self, transition: dict[str, Any]) -> Any:
        """Return the target's probabilities; see `DistributionalAgent`."""
        probabilities = keras.ops.softmax(self.next_distribution(transition))
        # Behind an end nothing is seen: all of it lies at the reward.
        ended = keras.ops.expand_dims(transition["discount"], 1) == 0
        probabilities = keras.ops.where(
            ended, 1 / self._head.num_atoms, probabilities
        )
        atoms = keras.ops.broadcast_to(
            self.atoms, keras.ops.shape(probabilities)
        )
        support = distributional_target(
            transition["reward"], transition["discount"], atoms
        )
        return categorical_projection(support, probabilities, self.atoms)

    def distance(self, target: Any, selected: Any) -> tuple[Any, Any, Any]:
        """Return cross-entropy, TD error and divergence.

        Args:
            target: Probabilities [B, num_atoms].
            selected: Logits [B, num_atoms].
        """
        loss, divergence = categorical_divergence(target, selected)
        probabilities = keras.ops.softmax(selected)
        td_error = self._mean(target) - self._mean(probabilities)
        return loss, td_error, divergence

    def _mean(self, probabilities: Any) -> Any:
        return keras.ops.sum(probabilities * self.atoms, axis=-1)
