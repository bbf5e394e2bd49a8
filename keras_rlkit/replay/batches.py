"""Batches for `fit` on any backend."""

import collections

import keras

from keras_rlkit.replay.batch import Batch
from keras_rlkit.replay.batch_source import BatchSource
from keras_rlkit.replay.jax_layout import (
    BATCHES_AT_ONCE,
    make_lay_out,
    on_accelerator,
)


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
        self._lay_out = None
        if prefetch is None and on_accelerator():
            count, prefetch = BATCHES_AT_ONCE, 1
            self._lay_out = make_lay_out(buffer.frame_stack, count)
            self._draws = 0
            self._ready: collections.deque[Batch] = collections.deque()
        self._source = BatchSource(
            buffer,
            batch_size,
            prefetch,
            looks=True,
            as_stored=self._lay_out is not None,
            count=1 if self._lay_out is None else count,
        )

    @property
    def num_batches(self) -> None:
        """`None`: there is no last batch."""
        return None

    def __getitem__(self, index: int) -> Batch:
        """Return a batch, as `ReplayBuffer.sample` does."""
        if self._lay_out is None:
            return self._source.take(index)
        if index == 0:
            self._ready.clear()
            self._draws = 0
        if not self._ready:
            draw = self._source.take(self._draws)
            self._ready.extend(self._lay_out(draw))
            self._draws += 1
        return self._ready.popleft()
