"""What every data set asks for its batches: one mechanism for both memories."""

from typing import Any


class Source:
    """Hands out batches by their number, and tells a look from training.

    `fit` may ask for data before its callbacks have collected any: it
    looks at a few batches to learn their shapes or to build the model, throws
    them away and starts again from number 0. Such a look at an empty
    memory gets zeros; asking for the same number again is training.

    Subclasses implement `next_batch`.

    Args:
        feed: `TransitionFeed` or `EpochFeed` to draw from.
        blank: What a look at an empty memory gets.
        num_batches: Batches of an epoch, or `None` for no end.
        looks: Whether such looks happen. Without them the first batch asked
            for is training already.
        longest_look: Batches that a look takes at most.
    """

    def __init__(
        self,
        feed: Any,
        blank: Any,
        num_batches: int | None,
        looks: bool,
        longest_look: int,
    ):
        self.feed = feed
        self.blank = blank
        self.num_batches = num_batches
        self.looks = looks
        self._longest_look = longest_look
        self._looked_at = 0

    def take(self, index: int) -> Any:
        """Return one batch.

        Args:
            index: Its number since the epoch, or the iterator, began.

        Raises:
            ValueError: If there is too little to draw from.
        """
        if self.looks and not len(self.feed):
            if self._looked_at <= index < self._longest_look:
                self._looked_at = index + 1
                return self.blank
        return self.next_batch(index)

    def next_batch(self, index: int) -> Any:
        """Return a batch to train on, as `take`."""
        raise NotImplementedError
