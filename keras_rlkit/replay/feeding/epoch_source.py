"""The minibatches of one epoch's data, and nothing older."""

import numpy as np

from keras_rlkit.replay.feeding.batch_forms import Batch
from keras_rlkit.replay.feeding.epoch_feed import EpochFeed
from keras_rlkit.replay.feeding.padded_size import padded_size
from keras_rlkit.replay.feeding.source import Source
from keras_rlkit.utils import check_positive_integer


class EpochSource(Source):
    """Hands out what was collected for this epoch, each sample once per pass.

    Asking for data that were handed out already raises.

    Args:
        feed: `EpochFeed` to draw from.
        minibatches: Minibatches that an epoch's data are split into.
        passes: How often an epoch goes through its data.
        pad: Whether batches have one of few sizes.
        looks: Whether `fit` may look at batches beforehand.
    """

    def __init__(
        self,
        feed: EpochFeed,
        minibatches: int,
        passes: int,
        pad: bool,
        looks: bool,
    ):
        self._minibatches = check_positive_integer("minibatches", minibatches)
        self._passes = check_positive_integer("passes", passes)
        count = self._minibatches * self._passes
        super().__init__(feed, feed.blank(8), count, looks, count)
        self._pad = pad
        self._generation: int | None = None
        self._parts: list[np.ndarray] = []
        self._taken = 0
        self._allowed = 0

    def next_batch(self, index: int) -> Batch:
        """Return one minibatch, whichever number is asked for.

        Raises:
            ValueError: If nothing was collected for this epoch.
        """
        feed = self.feed
        if self._generation != feed.generation:
            feed.finish_if_open()
            self._parts = self._split(len(feed))
            # A buffer filled by hand may be looked at before it is used.
            first = self._generation is None
            self._allowed = self.num_batches * (1 + (first and self.looks))
            self._taken = 0
            self._generation = feed.generation
        if self._taken == self._allowed:
            raise ValueError(
                "The data of this epoch have been used already: on-policy "
                "learning needs new ones for each epoch. Received: a request "
                f"for minibatch {index}. Give `fit` a callback that collects, "
                "`CollectEpisodes` or `CollectRollout`, or more `passes`."
            )
        # In the order of the passes, whichever Keras asks for: it shuffles
        # the numbers of minibatches, so that passes would mix, and from
        # version 3.16 on by epochs counted since `fit` began.
        rows = self._parts[self._taken % self.num_batches]
        self._taken += 1
        size = padded_size(len(rows)) if self._pad else len(rows)
        batch = feed.gather(rows, size)
        if self._taken >= self.num_batches:
            feed.note_used()
        return batch

    def _split(self, size: int) -> list[np.ndarray]:
        parts = []
        for _ in range(self._passes):
            rows = np.arange(size)
            if self._minibatches > 1:
                rows = self.feed.shuffled(size)
                # Fewer samples than minibatches: some come twice.
                rows = np.resize(rows, max(size, self._minibatches))
            parts += np.array_split(rows, self._minibatches)
        return parts
