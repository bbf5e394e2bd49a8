"""Batches as a `tf.data.Dataset`."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.replay.batch_source import BatchSource


def make_dataset(buffer, batch_size: int, prefetch: int | None) -> Any:
    """Return an endless `tf.data.Dataset` over a replay buffer.

    Args:
        buffer: `ReplayBuffer` to draw from.
        batch_size: Transitions of a batch.
        prefetch: Batches to draw ahead, or `None` to choose by size.

    Returns:
        A `tf.data.Dataset` of batches of static shapes.
    """
    import tensorflow as tf

    # Keras on TensorFlow builds from the static shapes alone.
    looks = keras.backend.backend() != "tensorflow"
    source = BatchSource(buffer, batch_size, prefetch, looks)
    spec = tf.nest.map_structure(
        lambda array: tf.TensorSpec(array.shape, array.dtype), source.blank
    )

    def take(index: np.ndarray) -> list[np.ndarray]:
        return tf.nest.flatten(source.take(int(index)))

    def make_batch(index: Any) -> tuple[Any, ...]:
        dtypes = [array.dtype for array in tf.nest.flatten(spec)]
        tensors = tf.numpy_function(take, [index], dtypes)
        batch = tf.nest.pack_sequence_as(spec, tensors)
        return tf.nest.map_structure(
            lambda tensor, like: tf.ensure_shape(tensor, like.shape),
            batch,
            spec,
        )

    dataset = tf.data.Dataset.counter().map(make_batch)
    # Whatever would pull elements before they are asked for would draw them
    # from a state of the buffer that depends on the speed of a thread.
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    options.experimental_optimization.inject_prefetch = False
    options.experimental_optimization.map_parallelization = False
    return dataset.with_options(options)
