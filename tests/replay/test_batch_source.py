import numpy as np
import pytest

from keras_rlkit.replay import ReplayBuffer
from keras_rlkit.replay.batch_source import LONGEST_LOOK, BatchSource


def filled(count):
    buffer = ReplayBuffer(20, (), "int32", seed=0)
    no = np.zeros(1, bool)
    for step in range(count):
        now, then = np.array([step], "int32"), np.array([step + 1], "int32")
        buffer.add(now, np.zeros(1, int), np.ones(1), no, no, then)
    return buffer


def test_a_look_at_an_empty_buffer_gets_zeros_once():
    source = BatchSource(filled(0), 4, prefetch=0, looks=True)
    for index in range(3):
        observation, rest = source.take(index)
        assert observation.shape == (4,) and not observation.any()
        assert not rest["discount"].any()
    with pytest.raises(ValueError, match="transitions stored, 0. Received: ba"):
        source.take(0)


def test_endless_looking_is_training():
    source = BatchSource(filled(0), 4, prefetch=0, looks=True)
    for index in range(LONGEST_LOOK):
        source.take(index)
    with pytest.raises(ValueError, match="transitions stored, 0. Received: ba"):
        source.take(LONGEST_LOOK)


def test_without_looks_an_empty_buffer_raises_at_once():
    source = BatchSource(filled(0), 4, prefetch=0, looks=False)
    with pytest.raises(ValueError, match="transitions stored, 0. Received: ba"):
        source.take(0)


@pytest.mark.parametrize("prefetch", [1, 2, 5])
def test_drawing_ahead_draws_the_same_in_the_same_order(prefetch):
    plain = BatchSource(filled(20), 4, prefetch=0, looks=False)
    ahead = BatchSource(filled(20), 4, prefetch=prefetch, looks=False)
    for index in range(30):
        ours, theirs = plain.take(index)[0], ahead.take(index)[0]
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_drawn_ahead_sees_the_buffer_of_that_time():
    buffer = filled(10)
    source = BatchSource(buffer, 4, prefetch=1, looks=False)
    source.take(0)
    no = np.zeros(1, bool)
    for step in range(100, 120):
        now, then = np.array([step], "int32"), np.array([step + 1], "int32")
        buffer.add(now, np.zeros(1, int), np.ones(1), no, no, then)
    # Batch 1 was handed in before the new steps came, batch 2 after.
    assert (source.take(1)[0] < 100).all()
    assert (source.take(2)[0] >= 100).all()
