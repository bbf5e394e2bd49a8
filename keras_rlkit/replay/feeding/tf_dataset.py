"""Batches as a `tf.data.Dataset`."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.replay.feeding.batch_forms import Batch, Draw, to_batch
from keras_rlkit.replay.feeding.epoch_source import EpochSource
from keras_rlkit.replay.feeding.transition_source import TransitionSource


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

    as_stored = buffer.frame_stack is not None
    looks = _fit_looks()
    source = TransitionSource(buffer, batch_size, prefetch, looks, as_stored)
    spec = tf.nest.map_structure(
        lambda array: tf.TensorSpec(array.shape, array.dtype),
        buffer.blank(batch_size),
    )
    indices = tf.data.Dataset.counter()
    if not as_stored:
        if source.prefetch or looks:
            return _in_order(_read(indices, source.take, spec))
        execution = _Execution(buffer, batch_size)
        source = TransitionSource(
            buffer, batch_size, 0, looks, layout=execution
        )
        several = tf.nest.map_structure(
            lambda array: tf.TensorSpec((None, *array.shape), array.dtype),
            spec,
        )
        return _in_order(_read(indices, source.take, several).unbatch())

    frames_last = functools.partial(_frames_last, count=buffer.frame_stack)

    # Compiled, TensorFlow lays the stacks out twice as fast as NumPy does.
    @tf.function(jit_compile=True)
    def lay_out(parts: dict[str, Any]) -> Batch:
        draw = Draw(**{"weight": None, **parts})
        batch = to_batch(draw, buffer.frame_stack, frames_last)
        return _with_shapes(batch, spec)

    parts = {
        name: tf.TensorSpec(array.shape, array.dtype)
        for name, array in _parts(source.blank).items()
    }
    # Stacks that share frames come as one window.
    shape = parts["frames"].shape
    parts["frames"] = tf.TensorSpec((None, *shape[1:]), parts["frames"].dtype)
    draws = _read(indices, lambda index: _parts(source.take(index)), parts)
    return _in_order(draws.map(lay_out))


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
    spec = tf.nest.map_structure(
        lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype),
        source.blank,
    )
    indices = tf.data.Dataset.range(source.num_batches)
    return _in_order(_read(indices, source.take, spec))


class _Execution:
    """Lays out the batches that one execution of `fit` trains on.

    Nothing changes the buffer during an execution, so these are the batches
    that would be drawn one by one. A call from TensorFlow takes many times as
    long as drawing a batch of vectors.
    """

    takes_slots = False

    def __init__(self, buffer: Any, batch_size: int):
        self._buffer = buffer
        self._batch_size = batch_size

    @property
    def count(self) -> int:
        return self._buffer.batches_per_execution

    def __call__(self, draw: Draw) -> list[Batch]:
        """Return batches as one, [count, batch size, ...] in each array."""
        size = self._batch_size
        batches = keras.tree.map_structure(
            lambda part: part.reshape(-1, size, *part.shape[1:]),
            to_batch(draw, None),
        )
        return [batches]

    of_frames = __call__


def _fit_looks() -> bool:
    # Keras on TensorFlow builds from the static shapes alone.
    return keras.backend.backend() != "tensorflow"


def _parts(draw: Draw) -> dict[str, np.ndarray]:
    parts = draw._asdict()
    return {name: part for name, part in parts.items() if part is not None}


def _frames_last(frames: Any, count: int) -> Any:
    """Return frames [count, B, *frame] as stacks [B, *frame, count]."""
    import tensorflow as tf

    frames = [frames[position] for position in range(count)]
    if count != 4 or frames[0].dtype != tf.uint8:
        return tf.stack(frames, axis=-1)
    # Four bytes side by side are one word, the first of them the lowest.
    words = [
        tf.bitwise.left_shift(tf.cast(frame, tf.uint32), 8 * position)
        for position, frame in enumerate(frames)
    ]
    return tf.bitcast(words[0] | words[1] | words[2] | words[3], tf.uint8)


def _with_shapes(batch: Any, spec: Any) -> Any:
    import tensorflow as tf

    return tf.nest.map_structure(
        lambda tensor, like: tf.ensure_shape(tensor, like.shape), batch, spec
    )


def _read(indices: Any, take: Callable[[int], Any], spec: Any) -> Any:
    """Return the data set of `take(index)` for each index."""
    import tensorflow as tf

    def take_flat(index: np.ndarray) -> list[np.ndarray]:
        return tf.nest.flatten(take(int(index)))

    def make_element(index: Any) -> Any:
        dtypes = [array.dtype for array in tf.nest.flatten(spec)]
        tensors = tf.numpy_function(take_flat, [index], dtypes)
        return _with_shapes(tf.nest.pack_sequence_as(spec, tensors), spec)

    return indices.map(make_element)


def _in_order(dataset: Any) -> Any:
    """Return a data set whose elements are made when they are asked for.

    Whatever would pull elements before would draw them from a state of the
    buffer that depends on the speed of a thread.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    options.experimental_optimization.inject_prefetch = False
    options.experimental_optimization.map_parallelization = False
    return dataset.with_options(options)
