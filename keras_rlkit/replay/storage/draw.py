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

    Of sequences, `mask` [B, T] says which steps are there, and `burn_in`
    [B, b], unless b is 0, which of those before; `index` and `weight` are of
    sequences, all else of their steps, sequence after sequence.
    """

    frames: tuple[np.ndarray, ...]
    action: np.ndarray
    reward: np.ndarray
    discount: np.ndarray
    index: np.ndarray
    weight: np.ndarray | None
    burn_in: np.ndarray | None = None
    mask: np.ndarray | None = None


def blank_draw(
    batch_size: int,
    layout: ObservationLayout,
    weighs: bool,
    sequence: tuple[int, int] | None = None,
) -> Draw:
    """Return zeros in the form of a draw, with weights of 1.

    Args:
        batch_size: Transitions, or sequences, B of the batch.
        layout: What an observation consists of.
        weighs: Whether the draw has weights.
        sequence: Steps T of a sequence and of its burn-in, or `None` for
            single transitions. Defaults to `None`.
    """
    rows, burn_in, mask = batch_size, None, None
    if sequence is not None:
        rows *= sum(sequence)
        mask = np.ones((batch_size, sequence[0]), bool)
        if sequence[1]:
            burn_in = np.ones((batch_size, sequence[1]), bool)
    zeros = np.zeros(rows, np.float32)
    return Draw(
        tuple(
            np.zeros((2, rows, *leaf.shape), leaf.dtype)
            if leaf.stack is None
            else np.zeros((2 * leaf.stack, rows, *leaf.shape[:-1]), leaf.dtype)
            for leaf in layout.leaves
        ),
        np.zeros(rows, np.int32),
        zeros,
        zeros,
        np.zeros(batch_size, np.int64),
        np.ones(batch_size, np.float32) if weighs else None,
        burn_in,
        mask,
    )
