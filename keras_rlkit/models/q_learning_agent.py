"""What all models share that learn Q values with a target network."""

import functools
from typing import Any, Self

import keras
import numpy as np

from keras_rlkit.models.added_losses import AddedLosses
from keras_rlkit.models.agent import Agent
from keras_rlkit.models.batch_checks import check_batch, weight_of
from keras_rlkit.models.fused_update import can_fuse, fused_train_step
from keras_rlkit.models.jax_execution import (
    can_scan,
    change_in_state,
    make_scan,
)
from keras_rlkit.models.network_shapes import input_shape_of
from keras_rlkit.models.q_learning_checks import (
    check_network,
    check_replicas,
    check_target_update,
)
from keras_rlkit.models.q_sequences import (
    as_steps,
    call_q_network,
    q_values_of,
    td_errors_of,
)
from keras_rlkit.models.recurrent_calls import check_sequences_of
from keras_rlkit.models.recurrent_networks import RecurrentNetworks
from keras_rlkit.models.shared_layers import (
    deserialize_networks,
    serialize_networks,
)
from keras_rlkit.models.target_weights import TargetWeights
from keras_rlkit.models.td_error_record import TDErrorRecord
from keras_rlkit.ops import (
    mask_actions,
    periodic_update,
    select_action_values,
    soft_update,
)
from keras_rlkit.utils import check_positive_integer

BATCH_KEYS = ("action", "reward", "discount", "next_observation")


class QLearningAgent(Agent):
    """A Q network, its target weights, and the training step of both.

    Subclasses implement `compute_target`: what Q(s, a) should be.

    Args:
        q_network: Built Keras model: observations [B, ...] to Q values
            [B, num_actions].
        target_update_rate: Number in (0, 1], share of the way that the target
            weights move to the online weights at each gradient step.
        target_update_period: Positive integer. Above 1, the target weights
            are copied whole once in so many gradient steps.
    """

    # Which buffers and collectors belong to it.
    learns_from = "transitions"

    def __init__(
        self,
        q_network: keras.Model,
        target_update_rate: float = 0.005,
        target_update_period: int = 1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        period = check_target_update(target_update_rate, target_update_period)
        shape = check_network(q_network)
        self._output_shape = (shape[0], shape[-1])
        if len(shape) == 3:
            self._recurrent = RecurrentNetworks([q_network])
        self.q_network = q_network
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
        # In a shorter type a mean of many batches stands still.
        self._td_error = keras.metrics.Mean("td_error", dtype="float32")
        self._q_value = keras.metrics.Mean("q_value", dtype="float32")
        self._td_error_record = TDErrorRecord()
        self._added_losses = AddedLosses()
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
        return q_values_of(
            self._recurrent,
            lambda inputs, training: self._target.call_network(
                self.q_network, inputs
            ),
            observation,
        )

    def online_q(self, observation: Any) -> Any:
        """Return the Q values of the online network, in inference.

        Args:
            observation: As in `target_q`.

        Returns:
            As `target_q`.
        """
        return q_values_of(self._recurrent, self.q_network, observation)

    @property
    def losses(self) -> list:
        """What regularisers and `add_loss` of the network ask for."""
        fixed = self._added_losses.fixed
        return super().losses if fixed is None else fixed

    def call(self, observation: Any, training: bool | None = None) -> Any:
        """Return the Q values of the online network.

        A recurrent network takes `rlk.utils.RecurrentInput` or `BurnInInput`,
        or sequences alone to begin with zeros. It gives a dictionary with
        `"q_values"` [B, T, num_actions] and `"state"`, the one it ended in.
        """
        return call_q_network(
            self._recurrent, self.q_network, observation, training
        )

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Compare Q(s, a) with its target through the compiled loss."""
        check_batch(y, BATCH_KEYS, "`ReplayBuffer.dataset`")
        sample_weight = weight_of(sample_weight)
        # `compute_target` would put those of its own passes in their place.
        losses = list(self.losses)
        mask, index = y.get("mask"), y.get("index")
        if self._recurrent:
            check_sequences_of(y)
            y, y_pred, sample_weight = as_steps(y, y_pred, sample_weight)
        target = self.compute_target(y)
        q_selected = select_action_values(y_pred, y["action"])
        td_error = target - q_selected
        if training and index is not None:
            errors = td_errors_of(td_error, mask)
            self._td_error_record.update_state(index, errors)
        # A last axis of size 1 makes losses reduce per sample.
        target = keras.ops.expand_dims(target, -1)
        q_selected = keras.ops.expand_dims(q_selected, -1)
        there = None if mask is None else keras.ops.reshape(mask, (-1,))
        self._td_error.update_state(keras.ops.abs(td_error), there)
        allowed = self.allowed(y_pred, y, "action_mask")
        self._q_value.update_state(keras.ops.max(allowed, axis=-1), there)
        super().compute_metrics(x, target, q_selected, sample_weight)
        with self._added_losses.be(losses):
            return super().compute_loss(
                x, target, q_selected, sample_weight, training=training
            )

    @staticmethod
    def allowed(q_values: Any, transition: dict[str, Any], key: str) -> Any:
        """Return Q values with -inf for what a batch's mask forbids.

        Args:
            q_values: Tensor [B, num_actions].
            transition: The dictionary of a batch.
            key: `"action_mask"` or `"next_action_mask"`; without such a mask
                the values are returned as they are.
        """
        mask = transition.get(key)
        return q_values if mask is None else mask_actions(q_values, mask)

    def compute_target(self, transition: dict[str, Any]) -> Any:
        """Return what Q(s, a) should be, without gradient.

        Args:
            transition: The dictionary of a batch.

        Returns:
            Float tensor [B].
        """
        raise NotImplementedError

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Return the metrics, which `compute_loss` has brought up to date."""
        if not all(getattr(m, "built", True) for m in self.metrics):
            # Keras builds compiled metrics on JAX through this method.
            self.compute_loss(x, y, y_pred, sample_weight, training=False)
        return self.get_metrics_result()

    def keep_td_errors(self, count: int) -> None:
        """Remember the TD errors of what the model is trained on.

        For `take_td_errors`. `CollectSteps` calls both where its buffer has
        priorities; your own code need not. What is remembered belongs to no
        weights, no logs and no files.

        Args:
            count: Positive integer, how many transitions to remember: those
                of one execution, `batch_size * steps_per_execution`.
        """
        count = check_positive_integer("count", count)
        if self._td_error_record.size == count:
            self._td_error_record.clear()
            return
        self._td_error_record.resize(count)
        if self.compiled:
            # One that was traced before would not write into it.
            self.make_train_function(force=True)

    def take_td_errors(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the TD errors since the last call, and forget them.

        Returns:
            A tuple `(index, td_error)` in the order of training, with one entry
            for each transition of each batch: `index` of the batch modulo
            2**31, int64 [M], and target - Q(s, a) at the moment of the
            gradient step, not weighted, float32 [M]. Empty before
            `keep_td_errors`.

        Raises:
            ValueError: If more TD errors came than are remembered.
        """
        return self._td_error_record.take()

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
            **serialize_networks({"q_network": self.q_network}),
            "target_update_rate": self.target_update_rate,
            "target_update_period": self.target_update_period,
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
