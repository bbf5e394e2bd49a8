"""The stream of batches behind `dataset` and `batches`."""

import collections
from time import perf_counter
from typing import Any

from keras_rlkit.replay.feeding.batch_forms import Batch, Draw
from keras_rlkit.utils import check_non_negative_integer

# Drawing a smaller batch takes less time than waking a thread for it.
PREFETCH_FROM_BYTES = 2**18
# Keras looks at the batches of one execution; more than so many are training.
LONGEST_LOOK = 256


class TransitionSource:
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
        as_stored: Whether to leave the frames of stacks as they lie in
            storage.
        layout: `DeviceLayout` that makes several batches of each draw, or
            `None`.
    """

    def __init__(
        self,
        buffer,
        batch_size: int,
        prefetch: int | None,
        looks: bool,
        as_stored: bool = False,
        layout: Any = None,
    ):
        self._buffer = buffer
        self._draw = batch_size, as_stored, layout
        self._ready: collections.deque[Batch] | None = None
        if layout is None:
            self.blank = buffer.blank(batch_size, as_stored)
        else:
            self._ready = collections.deque()
            rows = batch_size * layout.count
            self.blank = layout.of_frames(buffer.blank(rows, True))[0]
        if prefetch is None:
            observations = 2 * buffer.blank(batch_size)[0].nbytes
            prefetch = int(observations >= PREFETCH_FROM_BYTES)
        self.prefetch = check_non_negative_integer("prefetch", prefetch)
        self._ahead: collections.deque = collections.deque()
        self._looks = looks
        self._looked_at = 0
        self._forgotten = 0

    def take(self, index: int) -> Batch | Draw:
        """Return one batch.

        Args:
            index: Number of the batch since the iterator began.

        Returns:
            As `ReplayBuffer.draw`.

        Raises:
            ValueError: If the buffer holds too little.
        """
        if self._is_a_look(index):
            return self.blank
        began = perf_counter()
        batch = self._next(index)
        self._buffer.note_seconds_waited(perf_counter() - began)
        return batch

    def _next(self, index: int) -> Batch | Draw:
        forgotten = self._buffer.draws_forgotten
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
            return self._buffer.draw(*self._draw)
        batch = self._ahead.popleft().result() if self._ahead else None
        # Not before the result is in: two threads would fight for Python.
        while len(self._ahead) < self.prefetch + (batch is None):
            self._ahead.append(self._buffer.draw_later(*self._draw))
        return self._ahead.popleft().result() if batch is None else batch

    def _is_a_look(self, index: int) -> bool:
        if not self._looks or len(self._buffer):
            return False
        if not self._looked_at <= index < LONGEST_LOOK:
            return False
        self._looked_at = index + 1
        return True
