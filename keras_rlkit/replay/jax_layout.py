"""Batches laid out on the device that JAX trains on."""

from collections.abc import Callable
from functools import partial

import keras

from keras_rlkit.replay.batch import Batch, Draw, to_batch

# What an accelerator takes in one piece: each piece costs as much as several
# batches of vectors.
BATCHES_AT_ONCE = 8


def on_accelerator() -> bool:
    """Say whether JAX computes on something other than the processor."""
    if keras.backend.backend() != "jax":
        return False
    import jax

    return jax.default_backend() != "cpu"


def make_lay_out(
    frame_stack: int | None, count: int
) -> Callable[[Draw], list[Batch]]:
    """Return what makes batches of a draw, on the device.

    Two stacks that share frames travel as one window, and an accelerator puts
    the frames of a stack side by side sooner than NumPy does.

    Args:
        frame_stack: Length of the observations' stacks, or `None`.
        count: Batches in a draw.
    """
    import jax
    import jax.numpy as jnp

    frames_last = partial(jnp.moveaxis, source=0, destination=-1)

    @jax.jit
    def lay_out(draw: Draw) -> list[Batch]:
        whole = to_batch(draw, frame_stack, frames_last)
        parts = jax.tree.map(lambda array: jnp.split(array, count), whole)
        structure = jax.tree.structure(whole)
        leaves = jax.tree.leaves(parts, is_leaf=lambda x: isinstance(x, list))
        return [
            structure.unflatten(leaf[number] for leaf in leaves)
            for number in range(count)
        ]

    return lay_out
