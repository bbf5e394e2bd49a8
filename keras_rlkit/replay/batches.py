"""Batches for `fit` on any backend."""

import collections

import keras

from keras_rlkit.replay.batch import Batch
from keras_rlkit.replay.batch_source import BatchSource
from keras_rlkit.replay.jax_layout import (
    BATCHES_AT_ONCE,
    make_device_layout,
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
        layout = make_device_layout(buffer) if prefetch is None else None
        self._at_once = layout is not None
        self._buffer = buffer
        self._draws = 0
        self._forgotten = 0
        self._ready: collections.deque[Batch] = collections.deque()
        self._source = BatchSource(
            buffer,
            batch_size,
            1 if self._at_once else prefetch,
            looks=True,
            as_stored=self._at_once,
            count=BATCHES_AT_ONCE if self._at_once else 1,
            layout=layout,
        )

    @property
    def num_batches(self) -> None:
        """`None`: there is no last batch."""
        return None

    def __getitem__(self, index: int) -> Batch:
        """Return a batch, as `ReplayBuffer.sample` does."""
        if not self._at_once:
            return self._source.take(index)
        forgotten = self._buffer.draws_forgotten
        if index == 0 or self._forgotten != forgotten:
            self._ready.clear()
            self._forgotten = forgotten
        if index == 0:
            self._draws = 0
        if not self._ready:
            self._ready.extend(self._source.take(self._draws))
            self._draws += 1
        return self._ready.popleft()
