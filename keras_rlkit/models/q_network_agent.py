"""What all agents share that act with a Q network."""

from typing import Any, Self

import keras

from keras_rlkit.models.agent import Agent
from keras_rlkit.models.network_shapes import input_shape_of
from keras_rlkit.models.q_learning_checks import check_network
from keras_rlkit.models.q_sequences import call_q_network
from keras_rlkit.models.recurrent_networks import RecurrentNetworks
from keras_rlkit.models.shared_layers import (
    deserialize_networks,
    serialize_networks,
)
from keras_rlkit.ops import mask_actions


class QNetworkAgent(Agent):
    """Gives Q values, and logs what they are like.

    Subclasses implement `compute_loss`, and `q_of` where their network gives
    more than Q values.

    Args:
        q_network: Built Keras model: observations [B, ...] to Q values
            [B, num_actions].
    """

    # Axes of the network's output behind that of the actions.
    axes_per_action = 0

    def __init__(self, q_network: keras.Model, **kwargs: Any):
        super().__init__(**kwargs)
        shape = check_network(q_network, self.axes_per_action)
        self._output_shape = shape[0], shape[-1 - self.axes_per_action]
        if len(shape) == 3 + self.axes_per_action:
            self._recurrent = RecurrentNetworks([q_network])
        self.q_network = q_network
        # In a shorter type a mean of many batches stands still.
        self._td_error = keras.metrics.Mean("td_error", dtype="float32")
        self._q_value = keras.metrics.Mean("q_value", dtype="float32")
        self.built = True

    @property
    def _acting_network(self) -> keras.Model:
        return self.q_network

    @property
    def num_actions(self) -> int:
        """Number of actions: the size of the network's output."""
        return self._output_shape[-1]

    @property
    def input_shape(self) -> tuple | None:
        """Shape of the observations that the network takes, batch first."""
        return input_shape_of(self.q_network)

    @property
    def output_shape(self) -> tuple:
        """Shape of the Q values of an observation, batch first."""
        return self._output_shape

    def call(self, observation: Any, training: bool | None = None) -> Any:
        """Return the Q values of the online network.

        A recurrent network takes `rlk.utils.RecurrentInput` or `BurnInInput`,
        or sequences alone to begin with zeros. It gives a dictionary with
        `"q_values"` [B, T, num_actions] and `"state"`, the one it ended in.
        """
        output, state = call_q_network(
            self._recurrent, self.q_network, observation, training
        )
        q_values = self._q_values(output, training)
        if state is None:
            return q_values
        return {"q_values": q_values, "state": state}

    def _q_values(self, output: Any, training: bool | None) -> Any:
        """Return the Q values in what the network gave in a forward pass."""
        return self.q_of(output)

    def q_of(self, output: Any) -> Any:
        """Return the Q values [..., A] in what the network gives.

        Args:
            output: Output of the network.
        """
        return output

    @staticmethod
    def allowed(q_values: Any, batch: dict[str, Any], key: str) -> Any:
        """Return Q values with -inf for what a batch's mask forbids.

        Args:
            q_values: Tensor [B, num_actions].
            batch: The dictionary of a batch.
            key: `"action_mask"` or `"next_action_mask"`; without such a mask
                the values are returned as they are.
        """
        mask = batch.get(key)
        return q_values if mask is None else mask_actions(q_values, mask)

    def log_values(
        self, td_error: Any, q_values: Any, batch: dict[str, Any], weight: Any
    ) -> None:
        """Bring the metrics of this model up to date.

        Args:
            td_error: Target - Q(s, a), [B].
            q_values: Q values [B, num_actions].
            batch: The dictionary of the batch, row by row.
            weight: What counts in the means, [B], or `None`.
        """
        self._td_error.update_state(keras.ops.abs(td_error), weight)
        allowed = self.allowed(q_values, batch, "action_mask")
        self._q_value.update_state(keras.ops.max(allowed, axis=-1), weight)

    def compiled_loss(
        self,
        x: Any,
        target: Any,
        selected: Any,
        sample_weight: Any,
        training: bool,
    ) -> Any:
        """Compare Q(s, a) with a target by what `compile` was given.

        Args:
            x: The batch's observations.
            target: What it should be, [B].
            selected: What it is, [B].
            sample_weight: Weights [B], or `None`.
            training: As in `keras.Model.compute_loss`.

        Returns:
            The loss, with that of regularisers, once compiled metrics have
            seen the same.
        """
        # A last axis of size 1 makes losses reduce per sample.
        target = keras.ops.expand_dims(target, -1)
        selected = keras.ops.expand_dims(selected, -1)
        compared = x, target, selected, sample_weight
        keras.Model.compute_metrics(self, *compared)
        return keras.Model.compute_loss(self, *compared, training=training)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Return the metrics, which `compute_loss` has brought up to date."""
        if not all(getattr(m, "built", True) for m in self.metrics):
            # Keras builds compiled metrics on JAX through this method.
            self.compute_loss(x, y, y_pred, sample_weight, training=False)
        return self.get_metrics_result()

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, the network serialized."""
        return {
            **super().get_config(),
            **serialize_networks({"q_network": self.q_network}),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict | None = None
    ) -> Self:
        """Make a model from `get_config`."""
        networks = deserialize_networks(
            {"q_network": config["q_network"]}, custom_objects
        )
        return cls(**{**config, **networks})
