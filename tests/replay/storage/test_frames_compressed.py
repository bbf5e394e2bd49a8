import sys

import numpy as np
import pytest

from keras_rlkit.replay import Compressed, ReplayBuffer
from keras_rlkit.replay.storage.frames_compressed import FramesCompressed

NO = np.array([False])


def make(num_frames=100, words=40, num_envs=1, limit=None):
    return FramesCompressed(num_frames, words, np.dtype("u8"), num_envs, limit)


@pytest.fixture
def small_segments(monkeypatch):
    """Segments of eight blocks of noise, which are soon filled again."""
    monkeypatch.setattr(
        "keras_rlkit.replay.storage.frames_compressed.SEGMENT_BYTES", 1
    )


def test_frames_of_open_and_finished_blocks(small_segments):
    storage = make(num_frames=60, num_envs=3)
    frames = np.random.default_rng(0).integers(0, 2**63, (3_000, 40), "uint64")
    generator = np.random.default_rng(1)
    number = 0
    while number < 3_000:
        # Environment 2 comes rarely: its block stays open for long.
        new = [
            (int(generator.choice(3, p=[0.6, 0.37, 0.03])), frame)
            for frame in frames[number : number + generator.integers(1, 4)]
        ]
        storage.write(number, new)
        number += len(new)
        kept = np.arange(max(0, number - 60), number)
        assert storage.oldest(number) == max(0, number - 60)
        slots = np.append(kept % 60, 60)
        back = storage.read(slots)
        np.testing.assert_array_equal(back[:-1], frames[kept])
        assert not back[-1].any()


def test_the_oldest_frame_stays_to_the_last(small_segments):
    frames = np.random.default_rng(0).integers(0, 2**63, (400, 40), "uint64")
    # Blocks whose newest frame is just the oldest that is kept.
    for num_frames in range(9, 170, 8):
        storage = make(num_frames=num_frames)
        for number, frame in enumerate(frames):
            storage.write(number, [(0, frame)])
            oldest = max(0, number + 1 - num_frames)
            back = storage.read(np.array([oldest % num_frames]))
            np.testing.assert_array_equal(back, frames[[oldest]])


def test_a_block_costs_little_more_than_its_first_frame():
    generator = np.random.default_rng(0)
    storage = make(num_frames=8_000, words=882)
    frame = generator.integers(0, 256, 7_056).astype("uint8")
    for number in range(8_000):
        frame[generator.integers(0, 7_056, 5)] = number % 256
        storage.write(number, [(0, frame.view("u8"))])
    assert 7_000_000 < storage._length.sum() < 8_000_000


def test_segments_are_used_again_while_the_ring_turns():
    storage = make(num_frames=1_000, words=128)
    generator = np.random.default_rng(0)
    for number in range(8_000):
        # A kilobyte of noise each: a thousand of them fill one segment.
        storage.write(number, [(0, generator.integers(0, 2**63, 128))])
    held = sum(a.nbytes for n, a in storage.arrays().items() if "segment" in n)
    assert held <= 3 * 2**20


def test_noise_is_stored_too_whatever_the_size_of_a_frame():
    generator = np.random.default_rng(0)
    storage = make(num_frames=20, words=2**15)
    frames = generator.integers(0, 2**63, (50, 2**15), "uint64")
    for number, frame in enumerate(frames):
        storage.write(number, [(0, frame)])
    np.testing.assert_array_equal(
        storage.read(np.arange(30, 50) % 20), frames[30:]
    )


def fill(buffer, steps, noise, start=0):
    """Add steps whose frames are noise and begin with the step's number."""

    def frame(number):
        frame = np.zeros((64, 64), "uint8")
        if noise:
            generator = np.random.default_rng(number)
            frame[1:] = generator.integers(0, 256, (63, 64))
        frame[0, :2] = divmod(number, 256)
        return frame

    now = frame(start)[None]
    for number in range(start, start + steps):
        then = frame(number + 1)[None]
        buffer.add(now, np.array([number]), np.array([0.5]), NO, NO, then)
        now = then


def assert_newest(buffer, steps):
    observation, rest = buffer.transitions()
    last = steps - buffer.n_step + 1
    kept = np.arange(last - len(buffer), last)
    np.testing.assert_array_equal(rest["action"], kept)
    numbers = observation[:, 0, :2] @ np.array([256, 1])
    np.testing.assert_array_equal(numbers, kept)
    following = rest["next_observation"][:, 0, :2] @ np.array([256, 1])
    np.testing.assert_array_equal(following, kept + buffer.n_step)


def test_the_oldest_leave_where_the_limit_is_reached(tmp_path):
    buffer = ReplayBuffer(
        2_000, (64, 64), "uint8", storage=Compressed(limit=2**21)
    )
    fill(buffer, 400, noise=True)
    assert len(buffer) == 400
    with pytest.warns(UserWarning, match="has reached its limit or the mach"):
        fill(buffer, 200, noise=True, start=400)
    # Of 512 frames of noise that fill two segments, one segment may have
    # been emptied; each block has eight frames.
    assert 250 < len(buffer) < 512
    assert_newest(buffer, 600)
    assert buffer.nbytes < 2**21 + 2**19
    buffer.save(tmp_path / "replay")
    loaded = ReplayBuffer.load(tmp_path / "replay")
    assert len(loaded) == len(buffer)
    for replay in (buffer, loaded):
        fill(replay, 200, noise=True, start=600)
        assert 250 < len(replay) < 512
        assert_newest(replay, 800)
        # Blocks that compress well have room for all.
        fill(replay, 2_500, noise=False, start=800)
        assert len(replay) == 2_000
        assert_newest(replay, 3_300)


@pytest.mark.filterwarnings("ignore:The compressed replay buffer")
def test_a_limit_that_is_too_small_for_a_single_block(small_segments):
    buffer = ReplayBuffer(
        100, (64, 64), "uint8", n_step=3, storage=Compressed(limit=1)
    )
    for start in range(0, 300, 3):
        fill(buffer, 3, noise=True, start=start)
        assert_newest(buffer, start + 3)
    # One segment is there nevertheless, of eight blocks.
    assert 0 < len(buffer) < 80


def test_contents_that_no_storage_can_have_written():
    buffer = ReplayBuffer(50, (64, 64), "uint8", storage="compressed")
    fill(buffer, 60, noise=True)
    buffer.feed.forget()
    whole = buffer.get_state()
    for name, value in (
        ("frames_address_0", 2**40),
        ("frames_address_0", -1),
        ("frames_length_0", 2**20 + 1),
        ("frames_place_0", 2**20),
        ("frames_place_0", -1),
        ("frames_open_count_0", 8),
    ):
        other = ReplayBuffer(50, (64, 64), "uint8", storage="compressed")
        arrays = dict(whole["arrays"])
        arrays[name] = np.full_like(arrays[name], value)
        with pytest.raises(ValueError, match="must point at blocks that it h"):
            other.set_state({**whole, "arrays": arrays})


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(
        ImportError, match=r"needs .* `pip install keras-rlkit\[compressed\]`"
    ):
        ReplayBuffer(10, (3,), "uint8", storage="compressed")
