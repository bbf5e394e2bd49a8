"""Batches as a `tf.data.Dataset`."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.replay.batch import Batch
from keras_rlkit.replay.batch_source import BatchSource
from keras_rlkit.replay.epoch_source import EpochSource


def make_dataset(buffer: Any, batch_size: int, prefetch: int | None) -> Any:
    """Return an endless `tf.data.Dataset` over a replay buffer.

    Args:
        buffer: `ReplayBuffer` to draw from.
        batch_size: Transitions of a batch.
        prefetch: Batches to draw ahead, or `None` to choose by size.

    Returns:
        A `tf.data.Dataset` of batches of static shapes.
    """
    import tensorflow as tf

    source = BatchSource(buffer, batch_size, prefetch, _fit_looks())
    return _read(
        tf.data.Dataset.counter(),
        source.take,
        tf.nest.map_structure(
            lambda array: tf.TensorSpec(array.shape, array.dtype), source.blank
        ),
    )


def make_epoch_dataset(
    buffer: Any, minibatches: int, passes: int, pad: bool
) -> Any:
    """Return a finite `tf.data.Dataset` over the data of each epoch.

    Args:
        buffer: `EpisodeBuffer` to draw from.
        minibatches: Minibatches that an epoch's data are split into.
        passes: How often an epoch goes through its data.
        pad: Whether batches have one of few sizes.

    Returns:
        A `tf.data.Dataset` of batches whose size is not static, so that one
        trace serves all of them.
    """
    import tensorflow as tf

    source = EpochSource(buffer, minibatches, passes, pad, _fit_looks())
    return _read(
        tf.data.Dataset.range(source.num_batches),
        source.take,
        tf.nest.map_structure(
            lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype),
            source.blank,
        ),
    )


def _fit_looks() -> bool:
    # Keras on TensorFlow builds from the static shapes alone.
    return keras.backend.backend() != "tensorflow"


def _read(indices: Any, take: Callable[[int], Batch], spec: Any) -> Any:
    """Return the data set of `take(index)` for each index, in order."""
    import tensorflow as tf

    def take_flat(index: np.ndarray) -> list[np.ndarray]:
        return tf.nest.flatten(take(int(index)))

    def make_batch(index: Any) -> tuple[Any, ...]:
        dtypes = [array.dtype for array in tf.nest.flatten(spec)]
        tensors = tf.numpy_function(take_flat, [index], dtypes)
        batch = tf.nest.pack_sequence_as(spec, tensors)
        return tf.nest.map_structure(
            lambda tensor, like: tf.ensure_shape(tensor, like.shape),
            batch,
            spec,
        )

    # Whatever would pull elements before they are asked for would draw them
    # from a state of the buffer that depends on the speed of a thread.
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    options.experimental_optimization.inject_prefetch = False
    options.experimental_optimization.map_parallelization = False
    return indices.map(make_batch).with_options(options)
