import types

import numpy as np
import pytest

from keras_rlkit.replay import Compressed, Disk, Memory, ReplayBuffer
from keras_rlkit.replay.storage import machine_limits
from keras_rlkit.replay.storage.storage_settings import (
    storage_config,
    storage_from_config,
)

# A warning would say that a storage has run full.
pytestmark = pytest.mark.filterwarnings("error::UserWarning")
OTHERS = ["compressed", "disk"]


class Play:
    """Steps of several environments with episodes of random lengths.

    Stacks are padded with zeros where `padded`, else with the first frame.
    """

    def __init__(
        self, seed, num_envs, shape, stack, longest, noise=False, padded=True
    ):
        self.generator = np.random.default_rng(seed)
        self.num_envs, self.shape, self.stack = num_envs, shape, stack
        self.longest, self.noise, self.padded = longest, noise, padded
        self.frame = np.zeros((num_envs, *shape), "uint8")
        self.left = np.zeros(num_envs, int)
        self.now = np.zeros((num_envs, *shape, stack), "uint8")
        for environment in range(num_envs):
            self.reset(environment)

    def new_frame(self, environment):
        frame = self.frame[environment]
        if self.noise:
            frame[...] = self.generator.integers(0, 256, self.shape)
        else:
            place = tuple(self.generator.integers(0, self.shape))
            frame[place] = self.generator.integers(0, 256)
        return frame

    def reset(self, environment):
        self.frame[environment] = 1 + environment
        first = self.new_frame(environment)[..., None]
        stack = np.repeat(first, self.stack, axis=-1)
        if self.padded:
            stack[..., :-1] = 0
        self.now[environment] = stack
        self.left[environment] = self.generator.integers(1, self.longest + 1)

    def step(self):
        now, then = self.now.copy(), self.now.copy()
        for environment in range(self.num_envs):
            then[environment, ..., :-1] = now[environment, ..., 1:]
            then[environment, ..., -1] = self.new_frame(environment)
        self.left -= 1
        ended = self.left == 0
        self.now = then.copy()
        for environment in np.flatnonzero(ended):
            self.reset(environment)
        action = self.generator.integers(0, 1000, self.num_envs)
        terminated = ended & (self.generator.random(self.num_envs) < 0.5)
        return {
            "observation": now,
            "action": action,
            "reward": action / 8,
            "terminated": terminated,
            "truncated": ended & ~terminated,
            "next_observation": then,
        }


def make(storage, play, **arguments):
    return ReplayBuffer(
        observation_shape=(*play.shape, play.stack),
        observation_dtype="uint8",
        num_envs=play.num_envs,
        frame_stack=play.stack,
        seed=3,
        storage=storage,
        **arguments,
    )


def assert_same(batch, expected):
    np.testing.assert_array_equal(batch[0], expected[0])
    assert batch[0].dtype == expected[0].dtype
    for name, values in expected[1].items():
        np.testing.assert_array_equal(batch[1][name], values)


@pytest.mark.parametrize("storage", OTHERS)
@pytest.mark.parametrize(
    "play, n_step",
    [
        # One environment, wrapped around three times.
        (dict(num_envs=1, stack=4, longest=60), 1),
        # Several, whose frames interleave, with joined steps.
        (dict(num_envs=5, stack=3, longest=25), 3),
        # Episodes so short that rows leave before their time.
        (dict(num_envs=3, stack=4, longest=3, padded=False), 2),
        # Nothing that can be compressed.
        (dict(num_envs=2, stack=2, longest=40, noise=True), 1),
    ],
)
def test_batches_are_those_of_plain_storage(storage, play, n_step):
    play = Play(0, shape=(24, 24), **play)
    plain = make("memory", play, capacity=130, n_step=n_step)
    other = make(storage, play, capacity=130, n_step=n_step)
    for number in range(400 // play.num_envs):
        step = play.step()
        for buffer in (plain, other):
            buffer.add(**step)
        assert len(other) == len(plain)
        if number % 10 == 9 and len(plain) >= 20:
            assert_same(other.sample(20), plain.sample(20))
            assert_same(other.feed.draw(7), plain.feed.draw(7))
            assert_same(other.transitions(), plain.transitions())
    assert number * play.num_envs > 2 * 130


@pytest.mark.parametrize("storage", OTHERS)
def test_an_environment_that_pauses_for_long(storage):
    # Its half filled block still holds frames whose slots were passed on.
    play = Play(1, num_envs=2, shape=(24, 24), stack=2, longest=3)
    plain = make("memory", play, capacity=40)
    other = make(storage, play, capacity=40)
    ended = np.ones(2, bool)
    for number in range(150):
        step = play.step()
        step["truncated"] = ended
        step["valid"] = np.array([True, number % 60 < 2])
        for buffer in (plain, other):
            buffer.add(**step)
        assert len(other) == len(plain)
        assert_same(other.transitions(), plain.transitions())


@pytest.mark.parametrize("storage", OTHERS)
@pytest.mark.parametrize(
    "shape, dtype",
    [((5,), "float32"), ((), "float64"), ((3,), "uint8"), ((7, 2), "bool")],
)
def test_every_bit_of_every_dtype(storage, shape, dtype):
    generator = np.random.default_rng(0)
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    plain, other = (
        ReplayBuffer(20, shape, dtype, storage=s, seed=0)
        for s in ("memory", storage)
    )
    no = np.array([False])
    # Bits at random: denormal numbers, infinities and kinds of NaN too.
    high = 2 if dtype == "bool" else 256
    bits = generator.integers(0, high, (80, size), dtype="uint8")
    frames = bits.view(dtype).reshape(80, 1, *shape)
    for now, then in zip(frames[:-1], frames[1:], strict=True):
        for buffer in (plain, other):
            buffer.add(now, np.array([1]), np.array([0.5]), no, no, then)
    ours, theirs = other.transitions(), plain.transitions()
    assert ours[0].tobytes() == theirs[0].tobytes() == frames[-21:-1].tobytes()
    following = frames[-20:].tobytes()
    assert ours[1]["next_observation"].tobytes() == following


@pytest.mark.parametrize("storage", ["memory", *OTHERS])
def test_a_loaded_buffer_goes_on_as_the_saved_one(storage, tmp_path):
    play = Play(2, num_envs=3, shape=(24, 24), stack=3, longest=9)
    buffer = make(storage, play, capacity=60, n_step=2)
    for _ in range(70):
        buffer.add(**play.step())
    buffer.save(tmp_path / "replay")
    loaded = ReplayBuffer.load(tmp_path / "replay")
    assert type(loaded.storage) is type(buffer.storage)
    assert_same(loaded.transitions(), buffer.transitions())
    for _ in range(50):
        step = play.step()
        for replay in (buffer, loaded):
            replay.add(**step)
        assert_same(loaded.sample(10), buffer.sample(10))
    assert_same(loaded.transitions(), buffer.transitions())


@pytest.mark.parametrize("storage", ["memory", *OTHERS])
def test_a_state_is_put_into_a_buffer_that_was_used(storage):
    play = Play(3, num_envs=2, shape=(24, 24), stack=3, longest=9, noise=True)
    buffer, used = (make(storage, play, capacity=3_000) for _ in range(2))
    for _ in range(1_000):
        buffer.add(**play.step())
    for _ in range(30):
        used.add(**play.step())
    for source, target in ((buffer, used), (used, buffer)):
        source.feed.forget()
        target.set_state(source.get_state())
        assert_same(target.transitions(), source.transitions())
        assert_same(target.sample(10), source.sample(10))


@pytest.mark.parametrize(
    "storage, message",
    [
        ("tape", r"`storage` must be one of .*Received: storage='tape'\."),
        (3, r"`storage` must be one of .*Received: storage=3\."),
        (None, r"`storage` must be one of .*Received: storage=None\."),
    ],
)
def test_storage_that_does_not_exist(storage, message):
    with pytest.raises(ValueError, match=message):
        ReplayBuffer(10, (3,), "uint8", storage=storage)


def test_arguments_of_storage(tmp_path):
    with pytest.raises(ValueError, match=r"`limit` .* Received: limit=0\."):
        Compressed(limit=0)
    missing = str(tmp_path / "missing")
    with pytest.raises(ValueError, match="`folder` must be a folder that ex"):
        Disk(missing)
    with pytest.raises(ValueError, match="Received: folder='.*missing'"):
        Disk(missing)


def test_storage_as_configuration(tmp_path):
    for storage in (
        Memory(),
        Compressed(),
        Compressed(limit=np.int64(2**20)),
        Disk(),
        Disk(tmp_path),
    ):
        copy = storage_from_config(storage_config(storage))
        assert type(copy) is type(storage)
        assert copy.get_config() == storage.get_config()
    assert Compressed(limit=5).get_config() == {"limit": 5}
    assert Disk(tmp_path).get_config() == {"folder": str(tmp_path)}
    with pytest.raises(ValueError, match="`storage` must be one of"):
        storage_from_config({"name": "os.system", "config": {}})


def test_frames_are_not_in_memory_that_lie_on_disk(monkeypatch):
    arguments = (1_000, (84, 84, 4), "uint8", 1, 4)
    monkeypatch.setattr(
        machine_limits.psutil,
        "virtual_memory",
        lambda: types.SimpleNamespace(available=2**20),
    )
    with pytest.raises(MemoryError, match='`storage="compressed"` and `stor'):
        ReplayBuffer(*arguments)
    for storage in OTHERS:
        ReplayBuffer(*arguments, storage=storage)


def test_bytes_held():
    frame, row = 84 * 84, 52
    arguments = (1_000, (84, 84, 4), "uint8", 1, 4)
    plain, compressed, disk = (
        ReplayBuffer(*arguments, storage=storage).nbytes
        for storage in ("memory", *OTHERS)
    )
    # 2.5 % more frames than transitions, and the bookkeeping of each row.
    assert 1_025 * (frame + row) < plain < 1_050 * (frame + row)
    assert disk == plain
    # Empty: one segment, and room for the blocks of one environment.
    assert 2**20 < compressed < 2**20 + 16 * frame + 5 * frame + 1_100 * 60


CONTRACT = {
    Memory: {},
    Compressed: {"arguments": {"limit": 2**21}, "bad": {"limit": [0, 1.5]}},
    Disk: {"arguments": {"folder": "."}, "bad": {"folder": ["not/there"]}},
}
