import keras
import numpy as np
import pytest

from keras_rlkit.replay import Prioritized, ReplayBuffer, Uniform
from keras_rlkit.replay.feeding.jax_frames import DeviceFrames
from keras_rlkit.replay.feeding.jax_layout import DeviceLayout

if keras.backend.backend() != "jax":
    pytest.skip("only JAX lays out on its device", allow_module_level=True)

CAPACITY, BATCH, COUNT, STACK = 60, 8, 3, 3


def make(storage="memory", sampler=Uniform, n_step=1, dtype="uint8"):
    return ReplayBuffer(
        CAPACITY,
        (2, 3, STACK),
        dtype,
        num_envs=2,
        frame_stack=STACK,
        n_step=n_step,
        storage=storage,
        sampler=sampler(),
        seed=0,
    )


class Player:
    """Adds the same episodes to several buffers; stacks begin with zeros."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.stack = np.zeros((2, 2, 3, STACK), "uint8")

    def play(self, buffers, steps):
        for _ in range(steps):
            frame = self.random.integers(1, 255, size=(2, 2, 3, 1))
            then = np.concatenate([self.stack[..., 1:], frame], -1)
            then = then.astype("uint8")
            action = self.random.integers(4, size=2)
            reward = self.random.normal(size=2)
            end = self.random.random(2) < 0.1
            for buffer in buffers:
                buffer.add(
                    self.stack, action, reward, end, np.zeros(2, bool), then
                )
            then[end] = 0
            self.stack = then


def check(buffer, twin, layout):
    batches = buffer.feed.draw(BATCH, layout=layout)
    for batch in batches:
        keras.tree.map_structure(
            np.testing.assert_array_equal,
            keras.tree.map_structure(np.asarray, batch),
            twin.feed.draw(BATCH),
        )


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("storage", ["memory", "compressed"])
@pytest.mark.parametrize("sampler", [Uniform, Prioritized])
def test_the_device_gathers_what_the_buffer_would(storage, sampler, n_step):
    buffer, twin = (make(storage, sampler, n_step) for _ in range(2))
    layout = DeviceLayout(STACK, COUNT, buffer.feed.frames_on_device())
    assert layout.takes_slots
    player = Player(1)
    # Seven times around the ring, in pieces of different sizes.
    for steps in [10, 1, 2, 40, 7, 150]:
        player.play([buffer, twin], steps)
        check(buffer, twin, layout)
        check(buffer, twin, layout)


def test_a_frame_travels_once(monkeypatch):
    buffer = make()
    layout = DeviceLayout(STACK, COUNT, buffer.feed.frames_on_device())
    frames, read = buffer._ring.frames, []
    original = frames.read

    def noted(slots):
        read.extend(slots.tolist())
        return original(slots)

    monkeypatch.setattr(frames, "read", noted)
    player = Player(2)
    player.play([buffer], 10)
    buffer.feed.draw(BATCH, layout=layout)
    assert len(set(read)) == frames.written
    read.clear()
    buffer.feed.draw(BATCH, layout=layout)
    assert not read
    before = frames.written
    player.play([buffer], 1)
    buffer.feed.draw(BATCH, layout=layout)
    assert len(set(read)) == frames.written - before


def test_frames_that_were_replaced_travel_again():
    buffer, twin = make(), make()
    layout = DeviceLayout(STACK, COUNT, buffer.feed.frames_on_device())
    Player(3).play([buffer], 20)
    buffer.feed.draw(BATCH, layout=layout)
    Player(4).play([twin], 20)
    twin.feed.forget()
    buffer.set_state(twin.get_state())
    check(buffer, twin, layout)


def test_data_sets_share_the_frames():
    buffer = make()
    assert buffer.feed.frames_on_device() is buffer.feed.frames_on_device()


def test_what_the_device_cannot_hold_travels_with_each_draw():
    buffer = make(dtype="float64")
    assert not DeviceFrames.fits(buffer._ring.frames)
    assert buffer.feed.frames_on_device() is None


@pytest.mark.parametrize("left, fits", [(2, True), (0.9, False)])
def test_half_of_the_memory_left_is_taken(left, fits, monkeypatch):
    import jax

    frames = make()._ring.frames
    needed = frames.num_frames * 6

    class Device:
        def memory_stats(self):
            limit = int(1000 + 2 * needed * left)
            return {"bytes_limit": limit, "bytes_in_use": 1000}

    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    assert DeviceFrames.fits(frames) == fits
