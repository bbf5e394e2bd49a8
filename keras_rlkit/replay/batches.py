"""Batches for `fit` on any backend."""

import sys

import keras

from keras_rlkit.replay.batch import Batch
from keras_rlkit.replay.batch_source import BatchSource

# Where Keras looks at data to learn its form, without training on it.
LOOKING = ("_symbolic_build", "get_tf_dataset")


class Batches(keras.utils.PyDataset):
    """An endless `keras.utils.PyDataset` over a replay buffer.

    Made by `ReplayBuffer.batches`. An item is drawn when it is asked for, so
    the same index gives another batch each time.

    Args:
        buffer: `ReplayBuffer` to draw from.
        batch_size: Transitions of a batch.
        prefetch: Batches to draw ahead, or `None` to choose by size.
    """

    def __init__(self, buffer, batch_size: int, prefetch: int | None = None):
        super().__init__(workers=1, use_multiprocessing=False)
        self._source = BatchSource(buffer, batch_size, prefetch, looks=True)

    @property
    def num_batches(self) -> None:
        """`None`: there is no last batch."""
        return None

    def on_epoch_begin(self) -> None:
        """Raise if training is about to begin on too small a buffer.

        An error in the first step itself would cost the model its weights on
        JAX, where Keras has taken them out of the model by then.
        """
        if not _keras_is_looking():
            self._source.check()

    def __getitem__(self, index: int) -> Batch:
        """Return a batch, as `ReplayBuffer.sample` does."""
        return self._source.take(index)


def _keras_is_looking() -> bool:
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_name not in LOOKING:
        frame = frame.f_back
    return frame is not None
