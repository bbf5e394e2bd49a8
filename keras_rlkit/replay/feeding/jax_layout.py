"""Batches laid out on the device that JAX trains on."""

from typing import Any

import keras

from keras_rlkit.replay.feeding.batch_forms import Batch, to_batch
from keras_rlkit.replay.feeding.jax_frames import DeviceFrames
from keras_rlkit.replay.storage.draw import Draw
from keras_rlkit.replay.storage.observation_layout import ObservationLayout

# What an accelerator takes in one piece: each piece costs as much as several
# batches of vectors.
BATCHES_AT_ONCE = 8


def on_accelerator() -> bool:
    """Say whether JAX computes on something other than the processor."""
    if keras.backend.backend() != "jax":
        return False
    import jax

    return jax.default_backend() != "cpu"


class DeviceLayout:
    """Makes the batches of a draw on the device.

    Args:
        layout: What an observation consists of.
        count: Batches in a draw.
        device_frames: Where frames of stacks lie on the device, by the number
            of the leaf; `None` where they come with each draw.
    """

    def __init__(
        self,
        layout: ObservationLayout,
        count: int,
        device_frames: dict[int, DeviceFrames] | None,
    ):
        import jax
        import jax.numpy as jnp

        self.count = count
        self._device_frames = device_frames

        def frames_last(frames: Any, first: int, count: int) -> Any:
            return jnp.moveaxis(frames[first:][:count], 0, -1)

        def split(draw: Draw) -> list[Batch]:
            whole = to_batch(draw, layout, frames_last)
            leaves, structure = jax.tree.flatten(whole)
            parts = [jnp.split(leaf, count) for leaf in leaves]
            return [
                structure.unflatten(part[number] for part in parts)
                for number in range(count)
            ]

        self._split = jax.jit(split)

        def gather_and_split(rings: dict[int, Any], draw: Draw) -> list[Batch]:
            frames = tuple(
                rings[leaf][part] if leaf in rings else part
                for leaf, part in enumerate(draw.frames)
            )
            return split(draw._replace(frames=frames))

        self._gather_and_split = jax.jit(gather_and_split)

    @property
    def takes_slots(self) -> bool:
        """Whether draws have the slots of their frames, not the frames."""
        return self._device_frames is not None

    def __call__(self, draw: Draw) -> list[Batch]:
        """Return the batches of a draw.

        Call it while what was drawn from can't change.
        """
        if self._device_frames is None:
            return self._split(draw)
        rings = {
            leaf: frames.newest()
            for leaf, frames in self._device_frames.items()
        }
        return self._gather_and_split(rings, draw)

    def of_frames(self, draw: Draw) -> list[Batch]:
        """Return the batches of a draw that has its frames."""
        return self._split(draw)


def make_device_layout(feed: Any) -> DeviceLayout | None:
    """Return the layout for a feed's batches, or `None` without accelerator.

    Args:
        feed: `TransitionFeed` to draw from.
    """
    if not on_accelerator():
        return None
    return DeviceLayout(feed.layout, BATCHES_AT_ONCE, feed.frames_on_device())
