import keras
import pytest

from keras_rlkit.replay.feeding.jax_frames import DeviceFrames
from keras_rlkit.replay.feeding.jax_layout import DeviceLayout
from tests.replay.feeding.device_players import (
    BATCH,
    COUNT,
    Player,
    check,
    make,
)

if keras.backend.backend() != "jax":
    pytest.skip("only JAX has frames on its device", allow_module_level=True)


def test_a_frame_travels_once(monkeypatch):
    buffer = make()
    layout = DeviceLayout(
        buffer.feed.layout, COUNT, buffer.feed.frames_on_device()
    )
    (frames,), read = buffer._ring.stores, []
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
    layout = DeviceLayout(
        buffer.feed.layout, COUNT, buffer.feed.frames_on_device()
    )
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
    assert not DeviceFrames.fit(buffer._ring.stores)
    assert buffer.feed.frames_on_device() is None


@pytest.mark.parametrize("left, fits", [(2, True), (0.9, False)])
def test_half_of_the_memory_left_is_taken(left, fits, monkeypatch):
    import jax

    (frames,) = make()._ring.stores
    needed = frames.num_frames * 6

    class Device:
        def memory_stats(self):
            limit = int(1000 + 2 * needed * left)
            return {"bytes_limit": limit, "bytes_in_use": 1000}

    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    assert DeviceFrames.fit([frames]) == fits
