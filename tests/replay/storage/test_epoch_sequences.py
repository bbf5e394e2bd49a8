"""Sequences of an epoch, by hand."""

import numpy as np

from keras_rlkit.replay.storage.epoch_sequences import find_sequences


def test_by_hand():
    # Two environments, four steps; the first ends after two and pauses once.
    valid = np.array([[1, 1], [1, 1], [0, 1], [1, 1]], bool)
    goes_on = np.array([[1, 1], [0, 1], [0, 1], [0, 0]], bool)
    sequences = find_sequences(valid, goes_on, 3)
    # Numbered row by row: 0 1 / 2 3 / 4 / 5 6.
    assert sequences.index.tolist() == [
        [0, 2, 2],
        [5, 5, 5],
        [1, 3, 4],
        [6, 6, 6],
    ]
    assert sequences.mask.tolist() == [
        [True, True, False],
        [True, False, False],
        [True, True, True],
        [True, False, False],
    ]


def test_each_sample_is_in_one_sequence():
    random = np.random.default_rng(1)
    valid = random.random((50, 4)) < 0.9
    goes_on = random.random((50, 4)) < 0.8
    sequences = find_sequences(valid, goes_on, 5)
    taken = np.sort(sequences.index[sequences.mask])
    assert taken.tolist() == list(range(valid.sum()))
