import numpy as np
import pytest

from keras_rlkit.replay.storage.distinct_frames import (
    ZERO_FRAME,
    DistinctFrames,
)


def make(num_frames=20, shape=(2, 2), dtype="uint8", num_envs=1, stack=3):
    return DistinctFrames(num_frames, shape, np.dtype(dtype), num_envs, stack)


def stacks(*rows, shape=(2, 2), dtype="uint8"):
    """Observations [N, k, *shape] whose frames are full of one number."""
    values = np.array(rows, dtype)
    values = values.reshape(values.shape + (1,) * len(shape))
    return np.broadcast_to(values, values.shape[:2] + shape)


def add(store, now, then, since=0, valid=None):
    """Store one step as a buffer does; return the frame numbers."""
    now, then = store.words(now), store.words(then)
    valid = np.ones(len(now), bool) if valid is None else np.array(valid)
    continues = store.continues(now, since)
    start, end, frames = store.number(valid, continues, now, then)
    store.write(frames)
    store.remember(valid, end, then)
    return start.tolist(), end.tolist()


def test_a_moving_window_adds_one_frame_a_step():
    store = make()
    start, end = add(store, stacks([1, 2, 3]), stacks([2, 3, 4]))
    assert (start, end) == ([[0, 1, 2]], [[1, 2, 3]])
    start, end = add(store, stacks([2, 3, 4]), stacks([3, 4, 5]))
    assert (start, end) == ([[1, 2, 3]], [[2, 3, 4]])
    assert store.written == 5


def test_a_padded_first_stack():
    store = make()
    start, end = add(store, stacks([0, 0, 7]), stacks([0, 7, 8]))
    assert start == [[ZERO_FRAME, ZERO_FRAME, 0]]
    assert end == [[ZERO_FRAME, 0, 1]]
    # The first frame again and again is stored once.
    start, end = add(store, stacks([9, 9, 9]), stacks([9, 9, 5]))
    assert (start, end) == ([[2, 2, 2]], [[2, 2, 3]])


def test_a_new_episode_shares_nothing_and_numbers_go_on():
    store = make()
    add(store, stacks([1, 2, 3]), stacks([2, 3, 4]))
    start, _ = add(store, stacks([5, 6, 7]), stacks([6, 7, 8]))
    assert start == [[4, 5, 6]]


def test_known_frames_in_another_order():
    store = make()
    start, end = add(store, stacks([1, 2, 3]), stacks([3, 1, 4]))
    assert (start, end) == ([[0, 1, 2]], [[2, 0, 3]])


def test_environments_have_frames_of_their_own():
    store = make(num_envs=2)
    now, then = stacks([1, 2, 3], [1, 2, 3]), stacks([2, 3, 4], [2, 3, 9])
    start, end = add(store, now, then)
    assert start == [[0, 1, 2], [4, 5, 6]]
    assert end == [[1, 2, 3], [5, 6, 7]]


def test_rows_that_are_not_valid_are_not_stored():
    store = make(num_envs=2)
    now = stacks([1, 2, 3], [4, 5, 6])
    then = stacks([2, 3, 4], [5, 6, 7])
    add(store, now, then, valid=[False, True])
    assert store.written == 4
    assert store.continues(store.words(then), 0).tolist() == [False, True]
    later = stacks([2, 3, 4], [6, 7, 8])
    add(store, then, later, valid=[True, False])
    assert store.continues(store.words(later), 0).tolist() == [True, False]
    now = stacks([2, 3, 4], [5, 6, 7])
    assert store.continues(store.words(now), 0).tolist() == [True, True]


def test_frames_that_will_be_overwritten_are_not_known():
    store = make()
    add(store, stacks([1, 2, 3]), stacks([2, 3, 4]))
    words = store.words(stacks([2, 3, 4]))
    assert store.continues(words, since=1).tolist() == [True]
    assert store.continues(words, since=2).tolist() == [False]
    changed = store.words(stacks([2, 3, 5]))
    assert store.continues(changed, since=0).tolist() == [False]


@pytest.mark.parametrize(
    "dtype, shape",
    [
        ("uint8", (3,)),
        ("uint8", (6,)),
        ("uint8", (2, 2)),
        ("uint8", (84, 84)),
        ("bool", (5,)),
        ("int16", (3,)),
        ("float16", ()),
        ("float32", (3,)),
        ("float64", (2, 3)),
        ("int64", ()),
    ],
)
def test_frames_come_back_as_they_went_in(dtype, shape):
    store = make(6, shape, dtype, stack=1)
    generator = np.random.default_rng(0)
    frames = generator.integers(0, 100, (10, *shape)).astype(dtype)
    for now, then in zip(frames[:-1], frames[1:], strict=True):
        add(store, now[None, None], then[None, None])
    # Ten frames were written into room for six (zeros need none).
    kept = [frame for frame in frames if frame.any()][-4:]
    written = np.arange(store.written - len(kept), store.written)
    back = store.read(store.slots(written[:, None]))
    assert back.dtype == dtype and back.shape == (len(kept), 1, *shape)
    np.testing.assert_array_equal(back[:, 0], kept)


def test_every_bit_counts():
    store = make(shape=(2,), dtype="float32", stack=1)
    nan = np.float32("nan")
    frames = np.array([[-0.0, -0.0], [nan, 1.0], [0.0, 0.0]], "float32")
    _, end = add(store, frames[:1, None], frames[1:2, None])
    back = store.read(store.slots(np.array([[0], *end])))
    assert back[:, 0].tobytes() == frames[:2].tobytes()
    # NaN is not equal to itself, yet it is the same observation.
    words = store.words(frames[1:2, None])
    assert store.continues(words, 0).tolist() == [True]
    # Minus zero is no frame of zeros.
    start, _ = add(store, frames[2:, None], frames[:1, None])
    assert start == [[ZERO_FRAME]]
    assert not np.signbit(store.read(store.slots(np.array(start)))).any()


def test_the_frame_of_zeros_survives_every_wrap():
    store = make(num_frames=4, stack=1)
    for number in range(1, 20):
        add(store, stacks([number]), stacks([number + 1]))
    zeros = store.read(store.slots(np.array([[ZERO_FRAME]])))
    assert not zeros.any()


def test_state_continues_exactly():
    store = make()
    add(store, stacks([1, 2, 3]), stacks([2, 3, 4]))
    copy = make()
    state = {name: array.copy() for name, array in store.state().items()}
    copy.restore(state, store.counters())
    for continued in (store, copy):
        start, end = add(continued, stacks([2, 3, 4]), stacks([3, 4, 5]))
        assert (start, end) == ([[1, 2, 3]], [[2, 3, 4]])
    for name, array in store.state().items():
        np.testing.assert_array_equal(array, copy.state()[name])
