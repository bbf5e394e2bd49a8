import numpy as np
import scipy.stats

from keras_rlkit.replay import Uniform


def draws(oldest, size, batch_size, seed=0):
    generator = np.random.default_rng(seed)
    return Uniform().draw(generator, oldest, size, batch_size)


def test_every_transition_has_the_same_probability():
    index, weight = draws(oldest=1_000, size=80, batch_size=40_000)
    assert weight is None and index.dtype == np.int64
    assert index.min() >= 1_000
    counts = np.bincount(index - 1_000, minlength=80)
    assert len(counts) == 80
    # Right for this seed or wrong for ever: nothing here is left to chance.
    assert 0.001 < scipy.stats.chisquare(counts).pvalue < 0.999


def test_successive_draws_are_independent():
    index, _ = draws(oldest=0, size=8, batch_size=40_001)
    pairs = np.bincount(8 * index[:-1] + index[1:], minlength=64)
    assert 0.001 < scipy.stats.chisquare(pairs).pvalue < 0.999


def test_a_batch_may_be_larger_than_what_is_stored():
    index, _ = draws(oldest=5, size=1, batch_size=3)
    assert index.tolist() == [5, 5, 5]


CONTRACT = {Uniform: {}}
