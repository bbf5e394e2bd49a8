import pytest

from keras_rlkit.replay.feeding.transition_source import (
    LONGEST_LOOK,
    TransitionSource,
)
from tests.replay.feeding.growing_buffers import filled


def test_a_look_at_an_empty_buffer_gets_zeros_once():
    source = TransitionSource(filled(0).feed, 4, prefetch=0, looks=True)
    for index in range(3):
        observation, rest = source.take(index)
        assert observation.shape == (4,) and not observation.any()
        assert not rest["discount"].any()
    with pytest.raises(ValueError, match="transitions stored, 0. Received: ba"):
        source.take(0)


def test_endless_looking_is_training():
    source = TransitionSource(filled(0).feed, 4, prefetch=0, looks=True)
    for index in range(LONGEST_LOOK):
        source.take(index)
    with pytest.raises(ValueError, match="transitions stored, 0. Received: ba"):
        source.take(LONGEST_LOOK)


def test_without_looks_an_empty_buffer_raises_at_once():
    source = TransitionSource(filled(0).feed, 4, prefetch=0, looks=False)
    with pytest.raises(ValueError, match="transitions stored, 0. Received: ba"):
        source.take(0)
