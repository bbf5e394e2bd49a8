"""The endless stream of batches that are drawn from stored transitions."""

import collections
from time import perf_counter
from typing import Any

import keras

from keras_rlkit.replay.feeding.batch_forms import Batch
from keras_rlkit.replay.feeding.source import Source
from keras_rlkit.replay.feeding.transition_feed import TransitionFeed
from keras_rlkit.replay.storage.draw import Draw
from keras_rlkit.utils import check_non_negative_integer

# Drawing a smaller batch takes less time than waking a thread for it.
PREFETCH_FROM_BYTES = 2**18
# Keras looks at the batches of one execution; more than so many are training.
LONGEST_LOOK = 256


def batches_ahead(
    feed: TransitionFeed, batch_size: int, prefetch: int | None
) -> int:
    """Return how many batches are drawn ahead.

    Args:
        feed: `TransitionFeed` to draw from.
        batch_size: Transitions of a batch.
        prefetch: What the caller asked for, or `None` to choose by size.

    Raises:
        ValueError: If it is no non-negative integer.
    """
    if prefetch is None:
        leaves = keras.tree.flatten(feed.blank(batch_size)[0])
        observations = 2 * sum(leaf.nbytes for leaf in leaves)
        return int(observations >= PREFETCH_FROM_BYTES)
    return check_non_negative_integer("prefetch", prefetch)


class TransitionSource(Source):
    """Hands out batches in the order of their number, drawing ahead.

    Args:
        feed: `TransitionFeed` to draw from.
        batch_size: Transitions of a batch.
        prefetch: Batches to draw ahead, or `None` to choose by size.
        looks: Whether `fit` may look at batches beforehand.
        as_stored: Whether to leave the frames of stacks as they lie in
            storage.
        layout: `DeviceLayout` that makes several batches of each draw, or
            `None`.
    """

    def __init__(
        self,
        feed: TransitionFeed,
        batch_size: int,
        prefetch: int | None,
        looks: bool,
        as_stored: bool = False,
        layout: Any = None,
    ):
        if layout is None:
            blank = feed.blank(batch_size, as_stored)
        else:
            rows = batch_size * layout.count
            blank = layout.of_frames(feed.blank(rows, True))[0]
        super().__init__(feed, blank, None, looks, LONGEST_LOOK)
        self.prefetch = batches_ahead(feed, batch_size, prefetch)
        self._draw = batch_size, as_stored, layout
        self._ready: collections.deque[Batch] | None = (
            None if layout is None else collections.deque()
        )
        self._ahead: collections.deque = collections.deque()
        self._forgotten = 0

    def next_batch(self, index: int) -> Batch | Draw:
        """Return a batch as `TransitionFeed.draw`, and time the wait for it."""
        began = perf_counter()
        batch = self._next(index)
        self.feed.note_seconds_waited(perf_counter() - began)
        return batch

    def _next(self, index: int) -> Batch | Draw:
        forgotten = self.feed.draws_forgotten
        if index == 0 or self._forgotten != forgotten:
            # Drawn for an iterator that is gone, maybe from too little, or
            # told to forget.
            self._ahead.clear()
            if self._ready:
                self._ready.clear()
            self._forgotten = forgotten
        if self._ready is None:
            return self._next_draw()
        if not self._ready:
            self._ready.extend(self._next_draw())
        return self._ready.popleft()

    def _next_draw(self) -> Batch | Draw | list[Batch]:
        if not self.prefetch:
            return self.feed.draw(*self._draw)
        batch = self._ahead.popleft().result() if self._ahead else None
        # Not before the result is in: two threads would fight for Python.
        while len(self._ahead) < self.prefetch + (batch is None):
            self._ahead.append(self.feed.draw_later(*self._draw))
        return self._ahead.popleft().result() if batch is None else batch
