"""What is read out of storage at once: transitions as they lie there."""

from typing import NamedTuple

import numpy as np


class Draw(NamedTuple):
    """Transitions as they lie in storage.

    `frames` [w, B, *frame]: the first k of the w frames make the observation,
    the last k the next one. `weight` is `None` where all weights are 1.
    """

    frames: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    discount: np.ndarray
    index: np.ndarray
    weight: np.ndarray | None


def blank_draw(
    batch_size: int,
    frame_shape: tuple[int, ...],
    frame_dtype: np.dtype,
    stack: int,
    weighs: bool,
) -> Draw:
    """Return zeros in the form of a draw, with weights of 1.

    Args:
        batch_size: Transitions B of the batch.
        frame_shape: Shape of one frame.
        frame_dtype: NumPy dtype of one frame.
        stack: Number of frames k of an observation.
        weighs: Whether the draw has weights.
    """
    zeros = np.zeros(batch_size, np.float32)
    return Draw(
        np.zeros((2 * stack, batch_size, *frame_shape), frame_dtype),
        np.zeros(batch_size, np.int32),
        zeros,
        zeros,
        np.zeros(batch_size, np.int64),
        zeros + 1 if weighs else None,
    )
