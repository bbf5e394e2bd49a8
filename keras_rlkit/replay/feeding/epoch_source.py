"""The minibatches of one epoch's data, behind `dataset` and `batches`."""

from typing import Any

import numpy as np

from keras_rlkit.replay.feeding.batch_forms import Batch
from keras_rlkit.replay.storage.rollout_samples import padded_size
from keras_rlkit.utils import check_positive_integer


class EpochSource:
    """Hands out what was collected for this epoch, and nothing older.

    `fit` may look at a few batches to build the model before its callbacks
    have collected anything. Such a look at an empty buffer gets zeros; asking
    for the same index again is training and raises, as does asking for data
    that were handed out already.

    Args:
        buffer: `EpisodeBuffer`.
        minibatches: Minibatches that an epoch's data are split into.
        passes: How often an epoch goes through its data.
        pad: Whether batches have one of few sizes.
        looks: Whether `fit` may look at batches beforehand.
    """

    def __init__(
        self, buffer: Any, minibatches: int, passes: int, pad: bool, looks: bool
    ):
        self._buffer = buffer
        self._minibatches = check_positive_integer("minibatches", minibatches)
        self._passes = check_positive_integer("passes", passes)
        self._pad = pad
        self._looks = looks
        self._looked_at = 0
        self._generation: int | None = None
        self._parts: list[np.ndarray] = []
        self._taken = 0
        self._allowed = 0
        self.num_batches = self._minibatches * self._passes
        self.blank = buffer.blank(8)

    def take(self, index: int) -> Batch:
        """Return one minibatch.

        Args:
            index: Number of the minibatch within the epoch, in any order.

        Returns:
            A batch as `EpisodeBuffer.samples` gives, with the rows of one
            minibatch.

        Raises:
            ValueError: If nothing was collected for this epoch.
        """
        buffer = self._buffer
        if self._looks and not len(buffer) and index >= self._looked_at:
            self._looked_at = index + 1
            return self.blank
        if self._generation != buffer.generation:
            buffer.finish_if_open()
            self._parts = self._split(len(buffer))
            # A buffer filled by hand may be looked at before it is used.
            first = self._generation is None
            self._allowed = self.num_batches * (1 + (first and self._looks))
            self._taken = 0
            self._generation = buffer.generation
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
        batch = buffer.gather(rows, size)
        if self._taken >= self.num_batches:
            buffer.note_used()
        return batch

    def _split(self, size: int) -> list[np.ndarray]:
        parts = []
        for _ in range(self._passes):
            rows = np.arange(size)
            if self._minibatches > 1:
                rows = self._buffer.shuffled(size)
                # Fewer samples than minibatches: some come twice.
                rows = np.resize(rows, max(size, self._minibatches))
            parts += np.array_split(rows, self._minibatches)
        return parts
