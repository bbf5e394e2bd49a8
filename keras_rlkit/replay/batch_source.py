"""The stream of batches behind `dataset` and `batches`."""

import collections

from keras_rlkit.replay.batch import Batch
from keras_rlkit.utils import check_non_negative_integer

# Drawing a smaller batch takes less time than waking a thread for it.
PREFETCH_FROM_BYTES = 2**18
# Keras looks at the batches of one execution; more than so many are training.
LONGEST_LOOK = 256


class BatchSource:
    """Hands out batches in the order of their index, drawing ahead.

    `fit` may ask for data before its callbacks have filled the buffer: it
    looks at a few batches to learn their shapes or to build the model, throws
    them away and starts again from index 0. Such a look at an empty
    buffer gets zeros; asking for the same index again is training and raises.

    Args:
        buffer: `ReplayBuffer` to draw from.
        batch_size: Transitions of a batch.
        prefetch: Batches to draw ahead, or `None` to choose by size.
        looks: Whether such looks happen. Without them the first batch asked
            for is training already.
    """

    def __init__(
        self, buffer, batch_size: int, prefetch: int | None, looks: bool
    ):
        self._buffer = buffer
        self._batch_size = batch_size
        self.blank = buffer.blank(batch_size)
        if prefetch is None:
            prefetch = int(2 * self.blank[0].nbytes >= PREFETCH_FROM_BYTES)
        self._prefetch = check_non_negative_integer("prefetch", prefetch)
        self._ahead: collections.deque = collections.deque()
        self._looks = looks
        self._looked_at = 0
        self._forgotten = 0

    def take(self, index: int) -> Batch:
        """Return one batch.

        Args:
            index: Number of the batch since the iterator began.

        Returns:
            As `ReplayBuffer.sample`, observations in contiguous arrays.

        Raises:
            ValueError: If the buffer holds too little.
        """
        if self._is_a_look(index):
            return self.blank
        forgotten = self._buffer.draws_forgotten
        if index == 0 or self._forgotten != forgotten:
            # Drawn for an iterator that is gone, maybe from too little, or
            # told to forget.
            self._ahead.clear()
            self._forgotten = forgotten
        if not self._prefetch:
            return self._buffer.draw(self._batch_size)
        batch = self._ahead.popleft().result() if self._ahead else None
        # Not before the result is in: two threads would fight for Python.
        while len(self._ahead) < self._prefetch + (batch is None):
            self._ahead.append(self._buffer.draw_later(self._batch_size))
        return self._ahead.popleft().result() if batch is None else batch

    def _is_a_look(self, index: int) -> bool:
        if not self._looks or len(self._buffer):
            return False
        if not self._looked_at <= index < LONGEST_LOOK:
            return False
        self._looked_at = index + 1
        return True
