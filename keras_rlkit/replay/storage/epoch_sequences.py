"""Which samples of an epoch follow each other, in pieces of one length."""

from typing import NamedTuple

import numpy as np


class Sequences(NamedTuple):
    """Pieces of trajectories.

    Attributes:
        index: Integers [S, T], numbers of samples. Behind a trajectory's end
            its last one is repeated.
        mask: Booleans [S, T], whether a step is there.
    """

    index: np.ndarray
    mask: np.ndarray


def find_sequences(
    valid: np.ndarray, goes_on: np.ndarray, length: int
) -> Sequences:
    """Cut the trajectories of an epoch into sequences, none across two.

    Args:
        valid: Booleans [T, N], steps of N environments that are samples. They
            are numbered row by row.
        goes_on: Booleans [T, N], whether the next row goes on from here.
        length: Steps of a sequence.
    """
    numbers = np.cumsum(valid).reshape(valid.shape) - 1
    pieces: list[list[int]] = []
    for row in range(valid.shape[1]):
        piece: list[int] = []
        for step in np.flatnonzero(valid[:, row]):
            if not piece or len(piece) == length:
                piece = []
                pieces.append(piece)
            piece.append(int(numbers[step, row]))
            if not goes_on[step, row]:
                piece = []
    index = np.array([p + p[-1:] * (length - len(p)) for p in pieces])
    steps = np.array([len(piece) for piece in pieces])
    return Sequences(index, np.arange(length) < steps[:, None])
