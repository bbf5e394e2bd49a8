"""Batches laid out by TensorFlow, or for it."""

import functools
from typing import Any

import keras

from keras_rlkit.replay.feeding.batch_forms import Batch, to_batch
from keras_rlkit.replay.feeding.transition_feed import TransitionFeed
from keras_rlkit.replay.storage.draw import Draw


class ExecutionLayout:
    """Lays out the batches that one execution of `fit` trains on.

    Nothing changes the buffer during an execution, so these are the batches
    that would be drawn one by one. A call from TensorFlow takes many times as
    long as drawing a batch of vectors.

    Args:
        feed: What is drawn from.
        batch_size: Transitions of a batch.
    """

    takes_slots = False

    def __init__(self, feed: TransitionFeed, batch_size: int):
        self._feed = feed
        self._batch_size = batch_size

    @property
    def count(self) -> int:
        """Batches in a draw."""
        return self._feed.batches_per_execution

    def __call__(self, draw: Draw) -> list[Batch]:
        """Return batches as one, [count, batch size, ...] in each array."""
        size = self._batch_size
        batches = keras.tree.map_structure(
            lambda part: part.reshape(-1, size, *part.shape[1:]),
            to_batch(draw, None),
        )
        return [batches]

    of_frames = __call__


def make_stack_layout(frame_stack: int) -> Any:
    """Return a TensorFlow function from parts of a `Draw` to a batch.

    Args:
        frame_stack: Length of the observations' stacks.

    Returns:
        A function of a dictionary with the draw's fields as tensors, without
        a weight where there is none.
    """
    import tensorflow as tf

    frames_last = functools.partial(_frames_last, count=frame_stack)

    # Compiled, TensorFlow lays the stacks out twice as fast as NumPy does.
    @tf.function(jit_compile=True)
    def lay_out(parts: dict[str, Any]) -> Batch:
        draw = Draw(**{"weight": None, **parts})
        return to_batch(draw, frame_stack, frames_last)

    return lay_out


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
