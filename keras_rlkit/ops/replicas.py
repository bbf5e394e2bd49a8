"""Means over the whole batch where `tf.distribute` has split it."""

from typing import Any

import keras


def mean_over_replicas(values: Any) -> Any:
    """Return the mean over the batches of all replicas, on each of them.

    Replicas may have batches of different sizes, or none. Without a
    `tf.distribute` strategy it is the mean.

    Args:
        values: Float tensor [B], the values of this replica's batch.

    Returns:
        A scalar; gradients go into the values of every replica.
    """
    context = _replica_context()
    if context is None:
        return keras.ops.mean(values)
    total, count = context.all_reduce(
        "SUM",
        [
            keras.ops.sum(values),
            keras.ops.cast(keras.ops.size(values), values.dtype),
        ],
    )
    return total / count


def part_of_replica(loss: Any) -> Any:
    """Return what one replica adds to a loss that all of them agree on.

    Under a `tf.distribute` strategy Keras adds up the gradients of the
    replicas. Without one it is the loss.

    Args:
        loss: Scalar, over the batches of all replicas.
    """
    context = _replica_context()
    return loss if context is None else loss / context.num_replicas_in_sync


def assign_on_replica(variables: list, values: list) -> None:
    """Assign values that each replica has worked out for its own copies.

    Args:
        variables: Keras variables.
        values: Tensors of their shapes, equal on all replicas.
    """
    context = _replica_context()
    if context is None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return

    def assign_everywhere(strategy: Any, values: list) -> None:
        for variable, value in zip(variables, values, strict=True):
            strategy.extended.update(
                variable.value,
                lambda copy, value: copy.assign(value),
                args=(value,),
                group=False,
            )

    context.merge_call(assign_everywhere, args=(values,))


def _replica_context():
    """Return the context of one replica of several, or `None`."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None
    return context
