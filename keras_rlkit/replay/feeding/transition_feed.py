"""Draws batches of stored transitions, now or in the background."""

import concurrent.futures
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_rlkit.replay.feeding.background_worker import BackgroundWorker
from keras_rlkit.replay.feeding.batch_forms import (
    Batch,
    copy_frames_last,
    to_batch,
)
from keras_rlkit.replay.sampling.sampler import Sampler
from keras_rlkit.replay.storage.draw import Draw, blank_draw
from keras_rlkit.replay.storage.observation_layout import ObservationLayout
from keras_rlkit.replay.storage.transition_ring import TransitionRing
from keras_rlkit.utils import check_positive_integer


class TransitionFeed:
    """What data sets draw from, and what whoever changes the ring goes through.

    Draws may run in threads: those of the feed's own worker, and those of
    data sets that read ahead. What changes the ring, or the sampler, does so
    within `changing`.

    Args:
        ring: Where transitions are.
        sampler: Which of them make a batch.
        generator: Source of the sampler's randomness.
        layout: What an observation consists of.
    """

    def __init__(
        self,
        ring: TransitionRing,
        sampler: Sampler,
        generator: np.random.Generator,
        layout: ObservationLayout,
    ):
        self.layout = layout
        #: Small batches are drawn together where `fit` takes them together; a
        #: collector says how many these are.
        self.batches_per_execution = 1
        #: How often data sets were told to forget what they have drawn ahead.
        self.draws_forgotten = 0
        #: Transitions of the largest batch that a data set asked for, or 1.
        self.largest_batch = 1
        self._ring = ring
        self._sampler = sampler
        self._generator = generator
        self._worker = BackgroundWorker()
        # A data set may be read ahead by threads that are not ours.
        self._lock = threading.Lock()
        self._seconds_waited = 0.0
        self._device_frames = None

    def __len__(self) -> int:
        """Return how many transitions can be drawn."""
        return self._ring.size

    @property
    def ready(self) -> bool:
        """Whether the largest batch that a data set asked for is in."""
        return len(self) >= self.largest_batch

    def note_batch_size(self, batch_size: int) -> int:
        """Return the size of a data set's batches, or raise if it can't be.

        Args:
            batch_size: What the caller gave.

        Raises:
            ValueError: If it is no positive integer up to the capacity.
        """
        batch_size = check_positive_integer("batch_size", batch_size)
        if batch_size > self._ring.capacity:
            raise ValueError(
                "`batch_size` must be at most the buffer's capacity, "
                f"{self._ring.capacity}. Received: batch_size={batch_size}."
            )
        self.largest_batch = max(self.largest_batch, batch_size)
        return batch_size

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Wait for draws under way, and let none begin meanwhile."""
        self._worker.settle()
        with self._lock:
            yield

    def forget(self) -> None:
        """Let data sets draw anew what they have drawn ahead.

        The generator's state then tells all that is to come.
        """
        self._worker.settle()
        self.draws_forgotten += 1

    def sample(self, batch_size: int) -> Batch:
        """Draw one batch, whose observations may be views.

        Args:
            batch_size: Positive integer B, at most `len(feed)`.
        """
        batch_size = check_positive_integer("batch_size", batch_size)
        self._worker.settle()
        return to_batch(self._draw(batch_size, True), self.layout)

    def draw(
        self, batch_size: int, as_stored: bool = False, layout: Any = None
    ) -> Batch | Draw | list[Batch]:
        """Draw one batch as `sample` does, in contiguous arrays.

        Args:
            batch_size: Positive integer B, at most `len(feed)`.
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
        self, batch_size: int, as_stored: bool = False, layout: Any = None
    ) -> concurrent.futures.Future:
        """Draw in the background, from what is stored now.

        Args:
            batch_size: As in `draw`.
            as_stored: As in `draw`.
            layout: As in `draw`.

        Returns:
            A future whose result is that of `draw`. Whatever changes the
            ring waits until it has been drawn.
        """
        return self._worker.submit(self._draw, batch_size, as_stored, layout)

    def blank(self, batch_size: int, as_stored: bool = False) -> Batch | Draw:
        """Return zeros in the form of `draw`, whatever is stored.

        Args:
            batch_size: As in `draw`.
            as_stored: As in `draw`.
        """
        draw = blank_draw(
            batch_size, self.layout, self._sampler.weighs, self._ring.sequence
        )
        return draw if as_stored else self._laid_out(draw)

    def frames_on_device(self) -> Any:
        """Return the frames of stacks in the memory of JAX' device.

        Returns:
            A `DeviceFrames` by the number of the leaf, the same for all data
            sets, or `None` where there are no stacks or the device can't hold
            them.
        """
        from keras_rlkit.replay.feeding.jax_frames import DeviceFrames

        if self._device_frames is None and self.layout.has_stacks:
            stores = {
                group.leaves[0]: store
                for group, store in zip(
                    self.layout.groups, self._ring.stores, strict=True
                )
                if group.is_stack
            }
            if DeviceFrames.fit(list(stores.values())):
                self._device_frames = {
                    leaf: DeviceFrames(store) for leaf, store in stores.items()
                }
        return self._device_frames

    def note_seconds_waited(self, seconds: float) -> None:
        """Count time that training waited for a batch."""
        self._seconds_waited += seconds

    def take_seconds_waited(self) -> float:
        """Return how long training waited for batches since the last call."""
        seconds, self._seconds_waited = self._seconds_waited, 0.0
        return seconds

    def _draw(
        self, batch_size: int, as_stored: bool, layout: Any = None
    ) -> Batch | Draw | list[Batch]:
        with self._lock:
            oldest, size = self._ring.stored
            if size < batch_size:
                raise ValueError(
                    "`batch_size` must be at most the number of transitions "
                    f"stored, {size}. Received: batch_size={batch_size}. Add "
                    "transitions first, e.g. with a larger `warmup_steps` of "
                    "`CollectSteps`."
                )
            read = self._ring.read
            if self._ring.sequence is not None:
                read = self._ring.read_sequences
            count = 1 if layout is None else layout.count
            draws = [
                self._sampler.draw(self._generator, oldest, size, batch_size)
                for _ in range(count)
            ]
            if layout is not None:
                indices, weights = zip(*draws, strict=True)
                weight = (
                    np.concatenate(weights) if self._sampler.weighs else None
                )
                index = np.concatenate(indices)
                return layout(read(index, weight, layout.takes_slots))
            draw = read(*draws[0])
        return draw if as_stored else self._laid_out(draw)

    def _laid_out(self, draw: Draw) -> Batch:
        return to_batch(draw, self.layout, copy_frames_last)
