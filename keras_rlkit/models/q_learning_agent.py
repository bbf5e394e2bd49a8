"""What all models share that learn Q values with a target network."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.models.added_losses import AddedLosses
from keras_rlkit.models.batch_checks import check_batch, weight_of
from keras_rlkit.models.q_sequences import (
    as_rows,
    as_steps,
    td_errors_of,
)
from keras_rlkit.models.recurrent_calls import check_sequences_of
from keras_rlkit.models.target_network_agent import TargetNetworkAgent
from keras_rlkit.models.td_error_record import TDErrorRecord
from keras_rlkit.utils import check_positive_integer

BATCH_KEYS = ("action", "reward", "discount", "next_observation")


class QLearningAgent(TargetNetworkAgent):
    """What all have in common that learn from transitions in a replay buffer.

    Subclasses implement `objective`.

    Args:
        q_network: Built Keras model: observations [B, ...] to Q values
            [B, num_actions].
        target_update_rate: Number in (0, 1], share of the way that the target
            weights move to the online weights at each gradient step.
        target_update_period: Positive integer. Above 1, the target weights
            are copied whole once in so many gradient steps.
        double: Whether the online network chooses the next action.
    """

    # Which buffers and collectors belong to it.
    learns_from = "transitions"

    def __init__(
        self,
        q_network: keras.Model,
        target_update_rate: float = 0.005,
        target_update_period: int = 1,
        double: bool = True,
        **kwargs: Any,
    ):
        super().__init__(
            q_network, target_update_rate, target_update_period, **kwargs
        )
        self.double = double
        self._td_error_record = TDErrorRecord()
        self._added_losses = AddedLosses()

    def next_outputs(self, transition: dict[str, Any]) -> tuple[Any, Any]:
        """Return what the network gives of next observations, row by row.

        Args:
            transition: The dictionary of a batch.

        Returns:
            A tuple `(chooser, valuer)`: what chooses the next action, and the
            target network's output, which values it. The same without double
            Q-learning.
        """
        following = transition["next_observation"]
        valuer = as_rows(self._recurrent, self._target_output(following))
        if not self.double:
            return valuer, valuer
        return as_rows(self._recurrent, self._online_output(following)), valuer

    @property
    def losses(self) -> list:
        """What regularisers and `add_loss` of the network ask for."""
        fixed = self._added_losses.fixed
        return super().losses if fixed is None else fixed

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Compare what was predicted for the action taken with its target."""
        check_batch(y, BATCH_KEYS, "`ReplayBuffer.dataset`")
        sample_weight = weight_of(sample_weight)
        # The objective's own passes would put theirs in their place.
        losses = list(self.losses)
        mask, index = y.get("mask"), y.get("index")
        if self._recurrent:
            check_sequences_of(y)
            y_pred = y_pred["q_values"]
        output = self._output_behind(x, y_pred, training)
        if self._recurrent:
            y, output, sample_weight = as_steps(y, output, sample_weight)
        with self._added_losses.be(losses):
            loss, td_error, priority = self.objective(
                x, y, output, sample_weight, training
            )
        if training and index is not None:
            self._td_error_record.update_state(
                index, td_errors_of(priority, mask)
            )
        there = None if mask is None else keras.ops.reshape(mask, (-1,))
        self.log_values(td_error, self.q_of(output), y, there)
        return loss

    def _output_behind(self, x: Any, q_values: Any, training: bool) -> Any:
        """Return the network's output that Q values of a batch come from."""
        return q_values

    def objective(
        self,
        x: Any,
        transition: dict[str, Any],
        output: Any,
        sample_weight: Any,
        training: bool,
    ) -> tuple[Any, Any, Any]:
        """Return the loss of a batch, and how wrong the values were.

        Args:
            x: The batch's observations.
            transition: The dictionary of the batch, row by row.
            output: What the network gave of the observations, [B, A, ...].
            sample_weight: Weights [B], or `None`.
            training: As in `keras.Model.compute_loss`.

        Returns:
            A tuple `(loss, td_error, priority)`: a scalar with the losses of
            regularisers; target - Q(s, a), [B]; and how much there is to
            learn of each transition, [B], whose absolute value a sampler of
            priorities is told.
        """
        raise NotImplementedError

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

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, the network serialized."""
        return {**super().get_config(), "double": self.double}
