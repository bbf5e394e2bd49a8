"""A Q network with target weights, and the step that moves both."""

import functools
from typing import Any

import keras

from keras_rlkit.models.fused_update import can_fuse, fused_train_step
from keras_rlkit.models.jax_execution import (
    can_scan,
    change_in_state,
    make_scan,
)
from keras_rlkit.models.q_learning_checks import (
    check_replicas,
    check_target_update,
)
from keras_rlkit.models.q_network_agent import QNetworkAgent
from keras_rlkit.models.q_sequences import call_q_network
from keras_rlkit.models.target_weights import TargetWeights
from keras_rlkit.ops import periodic_update, soft_update


class TargetNetworkAgent(QNetworkAgent):
    """Moves target weights with its gradient steps.

    Subclasses implement `compute_loss`.

    Args:
        q_network: Built Keras model: observations [B, ...] to Q values
            [B, num_actions].
        target_update_rate: Number in (0, 1], share of the way that the target
            weights move to the online weights at each gradient step.
        target_update_period: Positive integer. Above 1, the target weights
            are copied whole once in so many gradient steps.
    """

    def __init__(
        self,
        q_network: keras.Model,
        target_update_rate: float = 0.005,
        target_update_period: int = 1,
        **kwargs: Any,
    ):
        super().__init__(q_network, **kwargs)
        period = check_target_update(target_update_rate, target_update_period)
        self.target_update_rate = target_update_rate
        self.target_update_period = period
        self._target = TargetWeights(q_network)
        # Counts gradient steps until the next hard copy, and is saved.
        self.gradient_steps = self.add_weight(
            shape=(),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            name="gradient_steps",
        )

    @property
    def target_weights(self) -> list[keras.Variable]:
        """The target network: its weights, in the order of `q_network`'s."""
        return self._target.followers

    def target_q(self, observation: Any) -> Any:
        """Return the Q values of the target network.

        Args:
            observation: As `q_network` takes it, [B, ...]; of recurrent
                networks as `call`.

        Returns:
            Tensor [B, num_actions], or [B, T, num_actions].

        Example:

        ```python
        network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        agent = rlk.models.DoubleDQN(network)
        observation = np.ones((3, 4), "float32")
        agent.target_q(observation).shape  # (3, 2)
        # They are the same until the network has learned.
        gap = agent(observation) - agent.target_q(observation)
        ```
        """
        return self.q_of(self._target_output(observation))

    def _online_output(self, observation: Any) -> Any:
        """Return what the network gives, in inference."""
        return call_q_network(
            self._recurrent, self.q_network, observation, False
        )[0]

    def _target_output(self, observation: Any) -> Any:
        """Return what the network gives with the target weights."""

        def network(inputs: Any, training: bool | None) -> Any:
            return self._target.call_network(self.q_network, inputs)

        return call_q_network(self._recurrent, network, observation, False)[0]

    def make_train_function(self, force: bool = False) -> None:
        """Make what `fit` calls for each execution; see `keras.Model`."""
        if self.train_function is not None and not force:
            return
        check_replicas(self)
        super().make_train_function(force)
        if can_scan(self):
            self.train_function = make_scan(self, self.train_function)

    def train_step(self, *arguments: Any) -> Any:
        """Take one gradient step and move the target network.

        Takes and returns what Keras' own `train_step` does: `(data)` and logs
        on TensorFlow and PyTorch, `(state, data)` and `(logs, state)` on JAX.
        """
        if not self.compiled:
            raise ValueError(
                "`train_step` needs a compiled model. Received: a model "
                "without optimizer and loss. Call `compile(optimizer=..., "
                "loss=...)` first."
            )
        if keras.backend.backend() == "jax":
            logs, state = super().train_step(*arguments)
            return logs, change_in_state(self, state, self._update_target)
        if can_fuse(self):
            return fused_train_step(self, *arguments, self._update_target)
        logs = super().train_step(*arguments)
        self._update_target()
        return logs

    def _update_target(self) -> None:
        steps = self.gradient_steps + 1
        self.gradient_steps.assign(steps)
        period, rate = self.target_update_period, self.target_update_rate
        if period == 1:
            move = functools.partial(soft_update, rate=rate)
        else:
            move = functools.partial(
                periodic_update, steps=steps, period=period
            )
        self._target.update(self.q_network, move)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, the network serialized."""
        return {
            **super().get_config(),
            "target_update_rate": self.target_update_rate,
            "target_update_period": self.target_update_period,
        }
