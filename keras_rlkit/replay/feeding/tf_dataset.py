"""Data sets for `fit` as `tf.data.Dataset`."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.replay.feeding.epoch_feed import EpochFeed
from keras_rlkit.replay.feeding.epoch_source import EpochSource
from keras_rlkit.replay.feeding.source import Source
from keras_rlkit.replay.feeding.tf_layout import (
    ExecutionLayout,
    make_stack_layout,
)
from keras_rlkit.replay.feeding.transition_feed import TransitionFeed
from keras_rlkit.replay.feeding.transition_source import (
    TransitionSource,
    batches_ahead,
)
from keras_rlkit.replay.storage.draw import Draw
from keras_rlkit.replay.storage.observation_layout import ObservationLayout


def make_transition_dataset(
    feed: TransitionFeed, batch_size: int, prefetch: int | None
) -> Any:
    """Return an endless `tf.data.Dataset` over stored transitions.

    Args:
        feed: What batches are drawn from.
        batch_size: Transitions of a batch.
        prefetch: Batches to draw ahead, or `None` to choose by size.

    Returns:
        A `tf.data.Dataset` of batches of static shapes.
    """
    batch_size = feed.note_batch_size(batch_size)
    looks = _fit_looks()
    spec = _spec(feed.blank(batch_size))
    if feed.layout.has_stacks:
        source = TransitionSource(feed, batch_size, prefetch, looks, True)
        return _in_order(_stacks(source, feed.layout, spec))
    if looks or batches_ahead(feed, batch_size, prefetch):
        source = TransitionSource(feed, batch_size, prefetch, looks)
        return _in_order(_read(source, spec))
    execution = ExecutionLayout(feed, batch_size)
    source = TransitionSource(feed, batch_size, 0, looks, layout=execution)
    return _in_order(_read(source, _spec(source.blank, grows=True)).unbatch())


def make_epoch_dataset(
    feed: EpochFeed, minibatches: int, passes: int, pad: bool
) -> Any:
    """Return a finite `tf.data.Dataset` over the data of each epoch.

    Args:
        feed: What minibatches are gathered from.
        minibatches: Minibatches that an epoch's data are split into.
        passes: How often an epoch goes through its data.
        pad: Whether batches have one of few sizes.

    Returns:
        A `tf.data.Dataset` of batches whose size is not static, so that one
        trace serves all of them.
    """
    source = EpochSource(feed, minibatches, passes, pad, _fit_looks())
    return _in_order(_read(source, _spec(source.blank, grows=True)))


def _fit_looks() -> bool:
    # Keras on TensorFlow builds from the static shapes alone.
    return keras.backend.backend() != "tensorflow"


def _spec(batch: Any, grows: bool = False) -> Any:
    """Return the specification of a batch, maybe with a first axis that varies.

    Args:
        batch: Arrays like those of the data set.
        grows: Whether the size of the first axis is not static.
    """
    import tensorflow as tf

    first = 1 if grows else 0
    return tf.nest.map_structure(
        lambda array: tf.TensorSpec(
            (*[None] * first, *array.shape[first:]), array.dtype
        ),
        batch,
    )


def _stacks(source: Source, layout: ObservationLayout, spec: Any) -> Any:
    """Return the data set of batches whose frames TensorFlow lays out."""
    lay_out = make_stack_layout(layout)
    parts = _spec(_parts(source.blank))
    # Stacks that share frames come as one window.
    parts["frames"] = _spec(source.blank.frames, grows=True)
    draws = _read(source, parts, _parts)
    return draws.map(lambda draw: _with_shapes(lay_out(draw), spec))


def _parts(draw: Draw) -> dict[str, np.ndarray]:
    parts = draw._asdict()
    return {name: part for name, part in parts.items() if part is not None}


def _with_shapes(batch: Any, spec: Any) -> Any:
    import tensorflow as tf

    return tf.nest.map_structure(
        lambda tensor, like: tf.ensure_shape(tensor, like.shape), batch, spec
    )


def _read(
    source: Source,
    spec: Any,
    form: Callable[[Any], Any] = lambda batch: batch,
) -> Any:
    """Return the data set of a source's batches.

    Args:
        source: What hands them out.
        spec: What `form` makes of them.
        form: Brings a batch into the form of `spec`.
    """
    import tensorflow as tf

    def take_flat(index: np.ndarray) -> list[np.ndarray]:
        return tf.nest.flatten(form(source.take(int(index))))

    def make_element(index: Any) -> Any:
        dtypes = [array.dtype for array in tf.nest.flatten(spec)]
        tensors = tf.numpy_function(take_flat, [index], dtypes)
        return _with_shapes(tf.nest.pack_sequence_as(spec, tensors), spec)

    if source.num_batches is None:
        indices = tf.data.Dataset.counter()
    else:
        indices = tf.data.Dataset.range(source.num_batches)
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
