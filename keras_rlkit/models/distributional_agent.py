"""What agents share that learn the distribution of returns."""

from typing import Any

import keras

from keras_rlkit.models.last_output import LastOutput
from keras_rlkit.models.own_loss import check_no_loss
from keras_rlkit.models.q_learning_agent import QLearningAgent
from keras_rlkit.models.q_sequences import call_q_network
from keras_rlkit.ops import select_action_values


class DistributionalAgent(QLearningAgent):
    """Q-learning of distributions: what chooses an action is their mean.

    Subclasses name the class of their head, and implement `q_of`,
    `target_distribution`, `distance` and `return_distribution`.

    Args:
        q_network: Built Keras model: observations [B, ...] to N numbers for
            each action, [B, num_actions, N], its last layer such a head.
        target_update_rate: As `DoubleDQN` takes it.
        target_update_period: As `DoubleDQN` takes it.
        double: As `DoubleDQN` takes it.
    """

    axes_per_action = 1
    head_class: type

    def __init__(
        self,
        q_network: keras.Model,
        target_update_rate: float = 0.005,
        target_update_period: int = 1,
        double: bool = True,
        **kwargs: Any,
    ):
        super().__init__(
            q_network,
            target_update_rate,
            target_update_period,
            double,
            **kwargs,
        )
        self._head = _find_head(q_network, self.head_class)
        self._last = LastOutput()

    def compile(self, optimizer: Any = "rmsprop", **kwargs: Any) -> None:
        """Choose the optimizer; the loss is the agent's own.

        Args:
            optimizer: As in `keras.Model.compile`.
            **kwargs: Its other arguments, without `loss` and `metrics`.
        """
        check_no_loss(self, kwargs, "Leave it out.")
        super().compile(optimizer=optimizer, **kwargs)

    def _q_values(self, output: Any, training: bool | None) -> Any:
        return self._last.keep(output, self.q_of(output), training)

    def _output_behind(self, x: Any, q_values: Any, training: bool) -> Any:
        output = self._last.take(q_values)
        if output is None:
            output, _ = call_q_network(
                self._recurrent, self.q_network, x, training
            )
        return output

    def return_distribution(self, observation: Any) -> Any:
        """Return the distribution of the return of each action.

        Args:
            observation: As the network takes it, [B, ...].
        """
        raise NotImplementedError

    def next_distribution(self, transition: dict[str, Any]) -> Any:
        """Return what the target network gives of the best next action.

        Args:
            transition: The dictionary of a batch, row by row.

        Returns:
            Float tensor [B, N], as the network gives it.
        """
        chooser, valuer = self.next_outputs(transition)
        q_values = self.allowed(
            self.q_of(chooser), transition, "next_action_mask"
        )
        best = keras.ops.argmax(q_values, axis=-1)
        return select_action_values(valuer, best)

    def target_distribution(self, transition: dict[str, Any]) -> Any:
        """Return what the distribution of the action taken should be.

        Args:
            transition: The dictionary of a batch, row by row.

        Returns:
            Float tensor [B, N], without gradient.
        """
        raise NotImplementedError

    def distance(self, target: Any, selected: Any) -> tuple[Any, Any, Any]:
        """Compare distributions of the action taken.

        Args:
            target: What `target_distribution` gave, [B, N].
            selected: What the network gave, [B, N].

        Returns:
            A tuple `(loss, td_error, priority)`, float tensors [B].
        """
        raise NotImplementedError

    def objective(
        self,
        x: Any,
        transition: dict[str, Any],
        output: Any,
        sample_weight: Any,
        training: bool,
    ) -> tuple[Any, Any, Any]:
        """Compare the distribution of the action taken with its target.

        Args:
            x: The batch's observations.
            transition: The dictionary of the batch, row by row.
            output: What the network gave of the observations, [B, A, N].
            sample_weight: Weights [B], or `None`.
            training: As in `keras.Model.compute_loss`.

        Returns:
            A tuple `(loss, td_error, priority)`.
        """
        target = keras.ops.stop_gradient(self.target_distribution(transition))
        selected = select_action_values(output, transition["action"])
        loss, td_error, priority = self.distance(target, selected)
        if sample_weight is not None:
            loss = loss * keras.ops.cast(sample_weight, loss.dtype)
        total = keras.ops.mean(loss)
        # Regularisers, and what layers ask for by `add_loss`.
        for added in self.losses:
            total = total + keras.ops.sum(keras.ops.cast(added, total.dtype))
        return total, td_error, priority


def _find_head(network: keras.Model, kind: type) -> Any:
    heads = [
        layer for layer in network._flatten_layers() if isinstance(layer, kind)
    ]
    if len(heads) != 1:
        raise ValueError(
            f"`q_network` must have one `{kind.__name__}`, its last layer. "
            f"Received: a network with {len(heads)} of them."
        )
    return heads[0]
