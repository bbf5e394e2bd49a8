"""Batches laid out by TensorFlow, or for it."""

from typing import Any

import keras

from keras_rlkit.replay.feeding.batch_forms import Batch, to_batch
from keras_rlkit.replay.feeding.transition_feed import TransitionFeed
from keras_rlkit.replay.storage.draw import Draw
from keras_rlkit.replay.storage.observation_layout import ObservationLayout


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
            to_batch(draw, self._feed.layout),
        )
        return [batches]

    of_frames = __call__


def make_stack_layout(layout: ObservationLayout) -> Any:
    """Return a TensorFlow function from parts of a `Draw` to a batch.

    Args:
        layout: What an observation consists of.

    Returns:
        A function of a dictionary with the draw's fields as tensors, without
        a weight where there is none.
    """
    import tensorflow as tf

    # Compiled, TensorFlow lays the stacks out twice as fast as NumPy does.
    @tf.function(jit_compile=True)
    def lay_out(parts: dict[str, Any]) -> Batch:
        draw = Draw(**{"weight": None, **parts})
        return to_batch(draw, layout, _frames_last, tf.reshape)

    return lay_out


def _frames_last(frames: Any, first: int, count: int) -> Any:
    """Return some of frames [w, B, *frame] as stacks [B, *frame, k]."""
    import tensorflow as tf

    frames = [frames[first + place] for place in range(count)]
    if count != 4 or frames[0].dtype != tf.uint8:
        return tf.stack(frames, axis=-1)
    # Four bytes side by side are one word, the first of them the lowest.
    words = [
        tf.bitwise.left_shift(tf.cast(frame, tf.uint32), 8 * position)
        for position, frame in enumerate(frames)
    ]
    return tf.bitcast(words[0] | words[1] | words[2] | words[3], tf.uint8)
