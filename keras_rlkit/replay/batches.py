"""Batches for `fit` on any backend."""

import functools
from collections.abc import Callable

import keras

from keras_rlkit.replay.batch import Batch, Draw, to_batch
from keras_rlkit.replay.batch_source import BatchSource


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
        as_stored = buffer.frame_stack is not None and _on_accelerator()
        self._source = BatchSource(
            buffer, batch_size, prefetch, looks=True, as_stored=as_stored
        )
        self._lay_out = (
            _laid_out_on_device(buffer.frame_stack) if as_stored else None
        )

    @property
    def num_batches(self) -> None:
        """`None`: there is no last batch."""
        return None

    def __getitem__(self, index: int) -> Batch:
        """Return a batch, as `ReplayBuffer.sample` does."""
        batch = self._source.take(index)
        return batch if self._lay_out is None else self._lay_out(batch)


def _on_accelerator() -> bool:
    if keras.backend.backend() != "jax":
        return False
    import jax

    return jax.default_backend() != "cpu"


def _laid_out_on_device(frame_stack: int) -> Callable[[Draw], Batch]:
    """Return what lays stacks out where the model is.

    Two stacks that share frames travel as one window, and an accelerator puts
    the frames of a stack side by side sooner than NumPy does.
    """
    import jax
    import jax.numpy as jnp

    frames_last = functools.partial(jnp.moveaxis, source=0, destination=-1)
    return jax.jit(lambda draw: to_batch(draw, frame_stack, frames_last))
