"""What is read out of storage at once: transitions as they lie there."""

from typing import NamedTuple

import numpy as np

from keras_rlkit.replay.storage.observation_layout import ObservationLayout


class Draw(NamedTuple):
    """Transitions as they lie in storage.

    `frames` has an array for each leaf of the observation, [w, B, *frame]: of a
    stack, the first k of the w frames make the observation, the last k the
    next one; of another leaf, the first of two makes the observation. `weight`
    is `None` where all weights are 1.
    """

    frames: tuple[np.ndarray, ...]
    action: np.ndarray
    reward: np.ndarray
    discount: np.ndarray
    index: np.ndarray
    weight: np.ndarray | None


def blank_draw(
    batch_size: int, layout: ObservationLayout, weighs: bool
) -> Draw:
    """Return zeros in the form of a draw, with weights of 1.

    Args:
        batch_size: Transitions B of the batch.
        layout: What an observation consists of.
        weighs: Whether the draw has weights.
    """
    zeros = np.zeros(batch_size, np.float32)
    return Draw(
        tuple(
            np.zeros((2, batch_size, *leaf.shape), leaf.dtype)
            if leaf.stack is None
            else np.zeros(
                (2 * leaf.stack, batch_size, *leaf.shape[:-1]), leaf.dtype
            )
            for leaf in layout.leaves
        ),
        np.zeros(batch_size, np.int32),
        zeros,
        zeros,
        np.zeros(batch_size, np.int64),
        zeros + 1 if weighs else None,
    )
