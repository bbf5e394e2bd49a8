"""Data sets for `fit` on any backend."""

import keras

from keras_rlkit.replay.feeding.batch_forms import Batch
from keras_rlkit.replay.feeding.epoch_source import EpochSource
from keras_rlkit.replay.feeding.jax_layout import make_device_layout
from keras_rlkit.replay.feeding.source import Source
from keras_rlkit.replay.feeding.transition_source import TransitionSource


class SourceDataset(keras.utils.PyDataset):
    """A `keras.utils.PyDataset` whose batches come from a `Source`.

    Args:
        source: What hands out the batches.
    """

    def __init__(self, source: Source):
        super().__init__(workers=1, use_multiprocessing=False)
        self._source = source

    @property
    def num_batches(self) -> int | None:
        """Batches of an epoch; `None` where there is no last one."""
        return self._source.num_batches

    def __getitem__(self, index: int) -> Batch:
        """Return a batch. It is drawn when it is asked for."""
        return self._source.take(index)


class Batches(SourceDataset):
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
        feed = buffer.feed
        batch_size = feed.note_batch_size(batch_size)
        layout = make_device_layout(feed) if prefetch is None else None
        super().__init__(
            TransitionSource(
                feed,
                batch_size,
                prefetch if layout is None else 1,
                looks=True,
                layout=layout,
            )
        )


class EpochBatches(SourceDataset):
    """A finite `keras.utils.PyDataset` over the data of each epoch.

    Made by `EpisodeBuffer.batches`.

    Args:
        buffer: `EpisodeBuffer`.
        minibatches: Minibatches that an epoch's data are split into.
        passes: How often an epoch goes through its data.
        pad: Whether batches have one of few sizes.
    """

    def __init__(self, buffer, minibatches: int, passes: int, pad: bool):
        super().__init__(
            EpochSource(buffer.feed, minibatches, passes, pad, looks=True)
        )
