"""Ends an epoch's learning once the policy has moved far enough."""

from collections.abc import Callable
from typing import Any

import keras

from keras_rlkit.ops.replicas import assign_on_replica


class LargestKL(keras.metrics.Metric):
    """The largest divergence seen since the epoch began.

    A metric, because Keras sets metrics back at the beginning of each epoch,
    on every backend.
    """

    def __init__(self, name: str):
        super().__init__(dtype="float32", name=name)
        # Replicas agree: none of them adds to it.
        self.largest = self.add_variable(
            (), "zeros", aggregation="mean", name="largest"
        )

    def update_state(self, kl: Any) -> None:
        """Take the divergence of one minibatch."""
        # NaN counts as far away.
        kl = keras.ops.where(keras.ops.isnan(kl), float("inf"), kl)
        self.largest.assign(keras.ops.maximum(self.largest, kl))

    def result(self) -> Any:
        """Return the largest one."""
        return keras.ops.convert_to_tensor(self.largest)


def keep_old_where_stopped(
    model: keras.Model,
    train_step: Callable,
    arguments: tuple,
    limit: float,
) -> Any:
    """Take a training step that changes nothing once `limit` is passed.

    Weights and the optimizer's state, its count of steps included, stay what
    they were: a gradient of zero alone would let momentum go on.

    Args:
        model: Model with a metric `_largest_kl`.
        train_step: Keras' own training step.
        arguments: Its arguments.
        limit: Divergence above which nothing changes, in nats.

    Returns:
        What `train_step` does.
    """
    if keras.backend.backend() == "jax":
        logs, state = train_step(*arguments)
        stopped = logs["largest_kl"] > limit
        old_state = arguments[0]
        # Of (trainable, non-trainable, optimizer, metrics) all but the last.
        kept = [
            [
                keras.ops.where(stopped, old, new)
                for old, new in zip(old_values, new_values, strict=True)
            ]
            for old_values, new_values in zip(old_state[:3], state[:3])
        ]
        return logs, (*kept, state[3])
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    variables = [
        *model.trainable_variables,
        *model.non_trainable_weights,
        *model.optimizer.variables,
    ]
    old = [keras.ops.copy(variable.value) for variable in variables]
    logs = train_step(*arguments)
    stopped = logs["largest_kl"] > limit
    assign_on_replica(
        variables,
        [
            keras.ops.where(stopped, value, variable.value)
            for variable, value in zip(variables, old, strict=True)
        ],
    )
    return logs
