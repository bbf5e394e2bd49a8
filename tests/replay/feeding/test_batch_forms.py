import numpy as np
import pytest

from keras_rlkit.replay.feeding.batch_forms import (
    Draw,
    copy_frames_last,
    to_batch,
    view_frames_last,
)
from keras_rlkit.replay.storage.observation_layout import ObservationLayout


def make_draw(frames, weight=None):
    return Draw(
        (frames,),
        action=np.array([1, 0], "int32"),
        reward=np.array([0.5, 2.0], "float32"),
        discount=np.array([0.9, 0.0], "float32"),
        index=np.array([7, 3]),
        weight=weight,
    )


def test_observations_that_are_no_stacks():
    frames = np.arange(12).reshape(2, 2, 3)
    layout = ObservationLayout((3,), "int64")
    observation, rest = to_batch(make_draw(frames), layout)
    assert observation.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert rest["next_observation"].tolist() == [[6, 7, 8], [9, 10, 11]]
    assert set(rest) == {"action", "reward", "discount", "next_observation"}
    assert rest["action"].tolist() == [1, 0]
    assert rest["reward"].tolist() == [0.5, 2.0]
    np.testing.assert_array_equal(rest["discount"], np.float32([0.9, 0.0]))


@pytest.mark.parametrize(
    "frames_last, copy", [(copy_frames_last, True), (view_frames_last, False)]
)
@pytest.mark.parametrize("count", [4, 6])
def test_stacks_have_their_frames_last(frames_last, copy, count):
    # Four frames are a window that both stacks of three share, six are two
    # stacks. Rows differ by 100, pixels by 10.
    row, pixel = np.meshgrid([0, 100], [0, 10], indexing="ij")
    frames = np.stack([row + pixel + number for number in range(count)])
    layout = ObservationLayout((2, 3), "int64", 3)
    observation, rest = to_batch(make_draw(frames), layout, frames_last)
    following = rest["next_observation"]
    assert observation.shape == following.shape == (2, 2, 3)
    assert observation[0].tolist() == [[0, 1, 2], [10, 11, 12]]
    assert observation[1].tolist() == [[100, 101, 102], [110, 111, 112]]
    last = count - 1
    assert following[1, 1].tolist() == [108 + last, 109 + last, 110 + last]
    assert observation.flags.c_contiguous == copy
    assert np.shares_memory(observation, frames) != copy


def test_weights_come_with_the_numbers_of_the_transitions():
    weight = np.array([0.25, 1.0], "float32")
    draw = make_draw(np.zeros((2, 2, 1)), weight)
    layout = ObservationLayout((1,), "float64")
    _, rest, sample_weight = to_batch(draw, layout)
    assert sample_weight is weight
    assert rest["index"].tolist() == [7, 3]
