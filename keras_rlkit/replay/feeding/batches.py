"""Batches for `fit` on any backend."""

import keras

from keras_rlkit.replay.feeding.batch_forms import Batch
from keras_rlkit.replay.feeding.jax_layout import make_device_layout
from keras_rlkit.replay.feeding.transition_source import TransitionSource


class Batches(keras.utils.PyDataset):
    """An endless `keras.utils.PyDataset` over a replay buffer.

    Made by `ReplayBuffer.batches`. An item is drawn when it is asked for, so
    the same index gives another batch each time.

    Args:
        buffer: `ReplayBuffer` to draw from.
        batch_size: Transitions of a batch.
        prefetch: Batches to draw ahead, or `None` to choose by size, and on
            JAX with an accelerator to draw eight at once, eight ahead.
    """

    def __init__(self, buffer, batch_size: int, prefetch: int | None = None):
        super().__init__(workers=1, use_multiprocessing=False)
        layout = make_device_layout(buffer) if prefetch is None else None
        self._source = TransitionSource(
            buffer,
            batch_size,
            prefetch if layout is None else 1,
            looks=True,
            layout=layout,
        )

    @property
    def num_batches(self) -> None:
        """`None`: there is no last batch."""
        return None

    def __getitem__(self, index: int) -> Batch:
        """Return a batch, as `ReplayBuffer.sample` does."""
        return self._source.take(index)
