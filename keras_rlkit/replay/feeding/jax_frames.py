"""A replay buffer's frames in the memory of the device that JAX trains on."""

import functools
from typing import Any

import numpy as np

from keras_rlkit.replay.storage.distinct_frames import DistinctFrames

# Frames that travel in one piece at most.
UPLOADED_AT_ONCE = 1024


class DeviceFrames:
    """A copy of a store's frames, brought up to date when it is asked for.

    A frame is sampled many times and travels once. The store stays what it is:
    nothing is saved from here, and whatever its storage is, it is read.

    Args:
        frames: The store.
    """

    def __init__(self, frames: DistinctFrames):
        self._frames = frames
        self._ring: Any = None
        self._uploaded = 0
        self._replaced = frames.replaced

    @staticmethod
    def fit(stores: list[DistinctFrames]) -> bool:
        """Say whether the device can hold frames.

        Args:
            stores: The stores.

        Returns:
            Whether the device knows their dtypes and they take at most half of
            the memory that it has left.
        """
        import jax

        if any(frames.frame_dtype.itemsize > 4 for frames in stores):
            return False
        memory = jax.local_devices()[0].memory_stats()
        if not memory or "bytes_limit" not in memory:
            return True
        left = memory["bytes_limit"] - memory["bytes_in_use"]
        taken = sum(frames.num_frames * frames.frame_bytes for frames in stores)
        return 2 * taken <= left

    def newest(self) -> Any:
        """Return the frames at all slots, an array [slots, *frame_shape]."""
        frames = self._frames
        if self._ring is None or self._replaced != frames.replaced:
            self._ring = _blank(frames)
            self._uploaded = 0
            self._replaced = frames.replaced
        first = max(self._uploaded, frames.oldest(0), 0)
        numbers = np.arange(first, frames.written)
        for start in range(0, len(numbers), UPLOADED_AT_ONCE):
            part = numbers[start : start + UPLOADED_AT_ONCE]
            # One of few sizes: each is compiled once.
            size = 1 << (len(part) - 1).bit_length()
            part = np.pad(part, (0, size - len(part)), mode="edge")
            slots = frames.slots(part)
            self._ring = _writer()(
                self._ring, slots.astype(np.int32), frames.read(slots)
            )
        self._uploaded = frames.written
        return self._ring


def _blank(frames: DistinctFrames) -> Any:
    import jax.numpy as jnp

    # The last slot is the frame of zeros, which has no number.
    shape = (frames.num_frames + 1, *frames.frame_shape)
    return jnp.zeros(shape, frames.frame_dtype)


@functools.cache
def _writer() -> Any:
    import jax

    return jax.jit(
        lambda ring, slots, new: ring.at[slots].set(new), donate_argnums=0
    )
