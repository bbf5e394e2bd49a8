"""Q-learning from what the present policy did, without replay (PQN)."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.models.action_evaluation import outputs_in_chunks
from keras_rlkit.models.agent import Agent
from keras_rlkit.models.batch_checks import check_batch, weight_of
from keras_rlkit.models.network_shapes import input_shape_of
from keras_rlkit.models.q_learning_checks import check_network
from keras_rlkit.models.q_sequences import call_q_network
from keras_rlkit.models.recurrent_calls import check_sequences_of, flatten_time
from keras_rlkit.models.recurrent_networks import RecurrentNetworks
from keras_rlkit.models.shared_layers import (
    deserialize_networks,
    serialize_networks,
)
from keras_rlkit.ops import mask_actions, select_action_values
from keras_rlkit.utils import register


@register
class PQN(Agent):
    """Trains a Q network on lambda returns of fresh play: PQN.

    No replay buffer and no target network: many environments play, and the
    network learns from each rollout for a few passes, then forgets it. Layer
    normalisation in the network is what keeps that stable. Give it a Keras
    model, then `compile` with an optimizer and a loss, and `fit` on
    `EpisodeBuffer(..., lambda_=0.65)` together with `CollectRollout` and
    `EpsilonGreedy`.

    Each gradient step moves Q(s, a) towards the lambda return of the rollout,
    in which the value of a state is its largest Q value at collecting. Time
    limits and the rollout's end are bootstrapped, terminal states are not.

    Args:
        q_network: Built Keras model: observations [B, ...] to Q values
            [B, num_actions]; or, with recurrent layers, sequences [B, T, ...]
            to [B, T, num_actions].

    Input shape:
        Observations as `q_network` takes them. `fit` takes batches of an
        `EpisodeBuffer` with `lambda_`: of their dictionary, `action` and
        `value_target` are used, and `action_mask` where there is one.

    Output shape:
        Q values [B, num_actions]; of recurrent networks a dictionary with
        `"q_values"` [B, T, num_actions] and `"state"`.

    Logs:
        `loss`, with the network's regularisers; `td_error`, the mean absolute
        difference between the lambda return and Q(s, a); `q_value`, the mean
        over observations of the largest Q value.

    Raises:
        ValueError: If the network is not built or has other than one output
            [B, num_actions].

    Example:

    ```python
    import gymnasium

    environment = gymnasium.make_vec("CartPole-v1", num_envs=4)
    network = keras.Sequential([
        rlk.networks.mlp((4,), units=(32,), layer_normalization=True),
        keras.layers.Dense(2),
    ])
    agent = rlk.models.PQN(network)
    agent.compile(keras.optimizers.Adam(1e-3), loss="mse")
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, discount=0.99, lambda_=0.65
    )
    collect = rlk.callbacks.CollectRollout(
        environment, buffer, rlk.policies.EpsilonGreedy(0.1), steps_per_epoch=64
    )
    agent.fit(buffer.batches(minibatches=4), callbacks=[collect], verbose=0)
    ```

    Reference:
        Gallici et al., Simplifying Deep Temporal Difference Learning, section
        4 and algorithm 1, https://arxiv.org/abs/2407.04811
    """

    # Which buffers and collectors belong to it.
    learns_from = "advantages"
    # Q-learning asks for no certain policy.
    learns_off_policy = True

    def __init__(self, q_network: keras.Model, **kwargs: Any):
        super().__init__(**kwargs)
        shape = check_network(q_network)
        self._output_shape = shape[0], shape[-1]
        if len(shape) == 3:
            self._recurrent = RecurrentNetworks([q_network])
        self.q_network = q_network
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
        """Return Q values, of sequences with the state they ended in."""
        q_values, state = call_q_network(
            self._recurrent, self.q_network, observation, training
        )
        if state is None:
            return q_values
        return {"q_values": q_values, "state": state}

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Compare Q(s, a) with the lambda return through the compiled loss."""
        keys = ("action", "value_target")
        check_batch(y, keys, "`EpisodeBuffer` with `lambda_`")
        sample_weight = weight_of(sample_weight)
        if self._recurrent:
            check_sequences_of(y)
            y, y_pred, sample_weight = flatten_time(y, y_pred, sample_weight)
            y_pred = y_pred["q_values"]
        target = keras.ops.cast(y["value_target"], "float32")
        selected = select_action_values(y_pred, y["action"])
        self._td_error.update_state(
            keras.ops.abs(target - selected), sample_weight
        )
        allowed = y_pred
        if "action_mask" in y:
            allowed = mask_actions(y_pred, y["action_mask"])
        largest = keras.ops.max(allowed, axis=-1)
        self._q_value.update_state(largest, sample_weight)
        # A last axis of size 1 makes losses reduce per sample.
        target = keras.ops.expand_dims(target, -1)
        selected = keras.ops.expand_dims(selected, -1)
        super().compute_metrics(x, target, selected, sample_weight)
        return super().compute_loss(
            x, target, selected, sample_weight, training=training
        )

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Return the metrics, which `compute_loss` has brought up to date."""
        if not all(getattr(m, "built", True) for m in self.metrics):
            # Keras builds compiled metrics on JAX through this method.
            self.compute_loss(x, y, y_pred, sample_weight, training=False)
        return self.get_metrics_result()

    def evaluate_actions(
        self,
        observation: Any,
        action: Any,
        action_mask: Any = None,
        state: Any = None,
    ) -> tuple[np.ndarray, None]:
        """Return the values of states: their largest Q values, eagerly.

        Args:
            observation: Array [M, ...], or a nest of arrays.
            action: Not used: of states that were not played there is none.
            action_mask: Booleans [M, A], allowed actions; `None` for all.
            state: Of recurrent networks, arrays [M, units] before each.

        Returns:
            float32 [M], and `None` in place of log-probabilities.
        """
        values = []
        for rows, count, q_values in outputs_in_chunks(
            self, observation, state
        ):
            if self._recurrent:
                q_values = q_values["q_values"]
            q_values = np.asarray(q_values, np.float32)
            if action_mask is not None:
                # Where nothing is allowed, the episode has terminated.
                allowed = np.where(action_mask[rows], q_values, -np.inf)
                known = action_mask[rows].any(axis=1, keepdims=True)
                q_values = np.where(known, allowed, q_values)
            values.append(q_values.max(axis=-1)[:count])
        return np.concatenate(values), None

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, the network serialized."""
        return {
            **super().get_config(),
            **serialize_networks({"q_network": self.q_network}),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict | None = None
    ) -> "PQN":
        """Make a model from `get_config`."""
        networks = deserialize_networks(
            {"q_network": config["q_network"]}, custom_objects
        )
        return cls(**{**config, **networks})
