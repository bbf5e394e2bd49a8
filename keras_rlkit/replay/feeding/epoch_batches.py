"""On-policy minibatches for `fit` on any backend."""

from typing import Any

import keras

from keras_rlkit.replay.feeding.batch_forms import Batch
from keras_rlkit.replay.feeding.epoch_source import EpochSource


class EpochBatches(keras.utils.PyDataset):
    """A finite `keras.utils.PyDataset` over the data of each epoch.

    Made by `EpisodeBuffer.batches`.

    Args:
        buffer: `EpisodeBuffer`.
        minibatches: Minibatches that an epoch's data are split into.
        passes: How often an epoch goes through its data.
        pad: Whether batches have one of few sizes.
    """

    def __init__(self, buffer: Any, minibatches: int, passes: int, pad: bool):
        super().__init__(workers=1, use_multiprocessing=False)
        self._source = EpochSource(buffer, minibatches, passes, pad, looks=True)

    @property
    def num_batches(self) -> int:
        """Minibatches of an epoch, all passes together."""
        return self._source.num_batches

    def __getitem__(self, index: int) -> Batch:
        """Return a minibatch of the epoch that is under way."""
        return self._source.take(index)
