import pytest

from keras_rlkit.replay.feeding.padded_size import padded_size


@pytest.mark.parametrize(
    "size, padded",
    [(1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (7, 8), (9, 12), (13, 16)],
)
def test_padded_sizes(size, padded):
    assert padded_size(size) == padded
