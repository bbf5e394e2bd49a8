"""Batches out of a replay buffer, for `fit` and by hand."""

import concurrent.futures
from typing import Any

import numpy as np

from keras_rlkit.replay.feeding.batch_forms import (
    Batch,
    Draw,
    blank_draw,
    copy_frames_last,
    to_batch,
)
from keras_rlkit.utils import check_positive_integer


class BatchSupply:
    """What draws batches from a `ReplayBuffer` and hands them to `fit`."""

    @property
    def largest_batch(self) -> int:
        """Transitions of the largest batch asked of `dataset` or `batches`.

        1 before any was asked for.
        """
        return self._largest_batch

    @property
    def ready(self) -> bool:
        """Whether the largest batch asked of `dataset` or `batches` is in."""
        return len(self) >= self._largest_batch

    def sample(self, batch_size: int) -> Batch:
        """Draw one batch, as NumPy arrays.

        Args:
            batch_size: Positive integer B, at most `len(buffer)`.

        Returns:
            A tuple `(observation, rest)`. `observation` is an array
            [B, *observation_shape]; `rest` is a dictionary with `action`
            (int32 [B]), `reward` (float32 [B], the discounted sum over n
            steps), `discount` (float32 [B], 0 where the episode terminated)
            and `next_observation` [B, *observation_shape]. A third item,
            `sample_weight` (float32 [B]), and `index` in the dictionary come
            with samplers that weigh. Observations may share memory with each
            other: copy before you write into them.

        Raises:
            ValueError: If the buffer is empty or holds fewer than
                `batch_size` transitions.
        """
        batch_size = check_positive_integer("batch_size", batch_size)
        self._worker.settle()
        return to_batch(self._draw(batch_size, True), self.frame_stack)

    def transitions(self) -> Batch:
        """Return everything stored, oldest first, in the form of a batch.

        Returns:
            As `sample`, with `len(buffer)` rows.
        """
        self._worker.settle()
        with self._lock:
            oldest, size = self._stored()
            stored = self._store.read(np.arange(oldest, oldest + size), None)
        return to_batch(stored, self.frame_stack)

    def dataset(self, batch_size: int, prefetch: int | None = None) -> Any:
        """Return an endless `tf.data.Dataset` of batches, for `fit`.

        Batches are drawn while the model trains. What each is drawn from
        depends on the order of calls alone, so the same seeds give the same
        training, bit for bit. Where `CollectSteps` fills the buffer, batches of
        vectors are drawn for a whole execution of `fit` at once, on
        TensorFlow: the same batches, with fewer calls.

        Args:
            batch_size: Positive integer B.
            prefetch: How many batches to draw ahead, in a thread of its own.
                `None` chooses 1 for batches of 256 KiB or more and 0 else.

        Returns:
            A `tf.data.Dataset` with the elements of `sample`, as tensors of
            static shapes. While the buffer is empty the first elements are
            zeros, so that a model can be built from them.
        """
        from keras_rlkit.replay.feeding.tf_dataset import make_dataset

        return make_dataset(self, self._note_batch_size(batch_size), prefetch)

    def batches(self, batch_size: int, prefetch: int | None = None) -> Any:
        """Return an endless `keras.utils.PyDataset` of batches, for `fit`.

        As `dataset`, without TensorFlow. For the JAX and PyTorch backends: on
        TensorFlow Keras itself draws ahead, as far as its speed allows, so
        that two runs differ. Use `dataset` there.

        With JAX on an accelerator, batches are made on the device, eight at
        once, eight ahead. Frames of stacks live there beside the buffer, if
        they take at most half of the memory that is left.

        Args:
            batch_size: Positive integer B.
            prefetch: How many batches to draw ahead, in a thread of its own.
                `None` chooses 1 for batches of 256 KiB or more and 0 else; any
                number keeps JAX' batches in the memory of the processor.

        Returns:
            A `keras.utils.PyDataset` with the elements of `sample`, as JAX'
            arrays where they are made on its device.
        """
        from keras_rlkit.replay.feeding.batches import Batches

        return Batches(self, self._note_batch_size(batch_size), prefetch)

    def frames_on_device(self) -> Any:
        """Return the frames in the memory of JAX' device.

        Returns:
            A `DeviceFrames`, the same for all data sets, or `None` where stacks
            aren't stored by frames or the device can't hold them.
        """
        from keras_rlkit.replay.feeding.jax_frames import DeviceFrames

        frames = self._store.frames
        if self._device_frames is None and self.frame_stack is not None:
            if DeviceFrames.fits(frames):
                self._device_frames = DeviceFrames(frames)
        return self._device_frames

    def draw(
        self,
        batch_size: int,
        as_stored: bool = False,
        layout: Any = None,
    ) -> Batch | Draw | list[Batch]:
        """Draw one batch as `sample` does, in contiguous arrays.

        What `dataset` and `batches` are made of; `sample` is faster.

        Args:
            batch_size: Positive integer B, at most `len(buffer)`.
            as_stored: Whether to leave the frames of stacks as they lie in
                storage. Defaults to `False`.
            layout: Such as `DeviceLayout`, makes batches of its own, as many as
                it takes at once. Defaults to `None`.

        Returns:
            As `sample`; with `as_stored` a `Draw`; with `layout` the batches
            that so many calls would draw, as it lays them out.
        """
        self._worker.settle()
        return self._draw(batch_size, as_stored, layout)

    def draw_later(
        self,
        batch_size: int,
        as_stored: bool = False,
        layout: Any = None,
    ) -> concurrent.futures.Future:
        """Draw in the background, from what is stored now.

        Args:
            batch_size: As in `draw`.
            as_stored: As in `draw`.
            layout: As in `draw`.

        Returns:
            A future whose result is that of `draw`. Whatever changes the
            buffer waits until it has been drawn.
        """
        return self._worker.submit(self._draw, batch_size, as_stored, layout)

    def note_seconds_waited(self, seconds: float) -> None:
        """Count time that training waited for a batch."""
        self._seconds_waited += seconds

    def take_seconds_waited(self) -> float:
        """Return how long training waited for batches since the last call."""
        seconds, self._seconds_waited = self._seconds_waited, 0.0
        return seconds

    def blank(self, batch_size: int, as_stored: bool = False) -> Batch | Draw:
        """Return zeros in the form of `draw`, whatever is stored.

        Args:
            batch_size: As in `draw`.
            as_stored: As in `draw`.

        Returns:
            As `draw`.
        """
        draw = blank_draw(
            batch_size,
            self._frame_shape,
            self.observation_dtype,
            self._stack,
            self.sampler.weighs,
        )
        return draw if as_stored else self._laid_out(draw)

    def _draw(
        self, batch_size: int, as_stored: bool, layout: Any = None
    ) -> Batch | Draw | list[Batch]:
        with self._lock:
            size = len(self)
            if size < batch_size:
                raise ValueError(
                    "`batch_size` must be at most the number of transitions "
                    f"stored, {size}. Received: batch_size={batch_size}. Add "
                    "transitions first, e.g. with a larger `warmup_steps` of "
                    "`CollectSteps`."
                )
            count = 1 if layout is None else layout.count
            draws = [
                self.sampler.draw(self._generator, *self._stored(), batch_size)
                for _ in range(count)
            ]
            if layout is not None:
                indices, weights = zip(*draws, strict=True)
                weight = (
                    np.concatenate(weights) if self.sampler.weighs else None
                )
                return layout(
                    self._store.read(
                        np.concatenate(indices), weight, layout.takes_slots
                    )
                )
            draw = self._store.read(*draws[0])
        return draw if as_stored else self._laid_out(draw)

    def _laid_out(self, draw: Draw) -> Batch:
        return to_batch(draw, self.frame_stack, copy_frames_last)

    def _note_batch_size(self, batch_size: int) -> int:
        batch_size = check_positive_integer("batch_size", batch_size)
        if batch_size > self.capacity:
            raise ValueError(
                "`batch_size` must be at most the buffer's capacity, "
                f"{self.capacity}. Received: batch_size={batch_size}."
            )
        self._largest_batch = max(self._largest_batch, batch_size)
        return batch_size
