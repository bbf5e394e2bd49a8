import numpy as np
import pytest

from keras_rlkit.replay import ReplayBuffer
from keras_rlkit.replay.feeding.transition_source import (
    TransitionSource,
)
from tests.replay.feeding.growing_buffers import filled, grow


@pytest.mark.parametrize("prefetch", [1, 2, 5])
def test_drawing_ahead_draws_the_same_in_the_same_order(prefetch):
    plain = TransitionSource(filled(20).feed, 4, prefetch=0, looks=False)
    ahead = TransitionSource(filled(20).feed, 4, prefetch=prefetch, looks=False)
    for index in range(30):
        ours, theirs = plain.take(index)[0], ahead.take(index)[0]
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_drawn_ahead_sees_the_buffer_of_that_time():
    buffer = filled(10)
    source = TransitionSource(buffer.feed, 4, prefetch=1, looks=False)
    source.take(0)
    grow(buffer, range(100, 120))
    # Batch 1 was handed in before the new steps came, batch 2 after.
    assert (source.take(1)[0] < 100).all()
    assert (source.take(2)[0] >= 100).all()


def test_a_new_iterator_begins_with_what_is_stored_now():
    buffer = filled(10)
    source = TransitionSource(buffer.feed, 4, prefetch=2, looks=False)
    source.take(0)
    grow(buffer, range(100, 120))
    assert (source.take(0)[0] >= 100).all()


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_draw_that_failed_is_not_remembered(prefetch):
    buffer = filled(0)
    source = TransitionSource(buffer.feed, 4, prefetch, looks=False)
    with pytest.raises(ValueError, match="transitions stored, 0. Received: ba"):
        source.take(0)
    grow(buffer, range(10))
    for index in range(5):
        assert source.take(index)[0].shape == (4,)


@pytest.mark.parametrize("size, expected", [(1_000, 0), (2**16, 1)])
def test_large_batches_are_drawn_ahead(monkeypatch, size, expected):
    buffer = ReplayBuffer(10, (size,), "uint8", seed=0)
    handed_in = []
    draw_later = buffer.feed.draw_later

    def note(*arguments):
        handed_in.append(arguments)
        return draw_later(*arguments)

    monkeypatch.setattr(buffer.feed, "draw_later", note)
    no, frame = np.zeros(1, bool), np.ones((1, size), "uint8")
    buffer.add(frame, np.zeros(1, int), np.ones(1), no, no, frame)
    buffer.add(frame, np.zeros(1, int), np.ones(1), no, no, frame)
    # Two transitions of two observations: 4 kB or 256 KiB.
    TransitionSource(buffer.feed, 2, None, looks=False).take(0)
    # The first batch and the one after it.
    assert len(handed_in) == 2 * expected
