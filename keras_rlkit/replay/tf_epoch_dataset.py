"""On-policy minibatches as a `tf.data.Dataset`."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.replay.epoch_source import EpochSource


def make_epoch_dataset(
    buffer: Any, minibatches: int, passes: int, pad: bool
) -> Any:
    """Return a finite `tf.data.Dataset` over the data of each epoch.

    Args:
        buffer: `EpisodeBuffer`.
        minibatches: Minibatches that an epoch's data are split into.
        passes: How often an epoch goes through its data.
        pad: Whether batches have one of few sizes.

    Returns:
        A `tf.data.Dataset` of batches whose size is not static, so that one
        trace serves all of them.
    """
    import tensorflow as tf

    looks = keras.backend.backend() != "tensorflow"
    source = EpochSource(buffer, minibatches, passes, pad, looks)
    spec = tf.nest.map_structure(
        lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype),
        source.blank,
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

    dataset = tf.data.Dataset.range(source.num_batches).map(make_batch)
    # Whatever would pull elements before they are asked for might pull those
    # of the epoch before.
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    options.experimental_optimization.inject_prefetch = False
    options.experimental_optimization.map_parallelization = False
    return dataset.with_options(options)
