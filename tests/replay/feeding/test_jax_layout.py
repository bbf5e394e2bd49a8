import keras
import pytest

from keras_rlkit.replay import Prioritized, Uniform
from keras_rlkit.replay.feeding.jax_layout import DeviceLayout
from tests.replay.feeding.device_players import (
    COUNT,
    Player,
    check,
    make,
)

if keras.backend.backend() != "jax":
    pytest.skip("only JAX lays out on its device", allow_module_level=True)


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("storage", ["memory", "compressed"])
@pytest.mark.parametrize("sampler", [Uniform, Prioritized])
def test_the_device_gathers_what_the_buffer_would(storage, sampler, n_step):
    buffer, twin = (make(storage, sampler, n_step) for _ in range(2))
    layout = DeviceLayout(
        buffer.feed.layout, COUNT, buffer.feed.frames_on_device()
    )
    assert layout.takes_slots
    player = Player(1)
    # Seven times around the ring, in pieces of different sizes.
    for steps in [10, 1, 2, 40, 7, 150]:
        player.play([buffer, twin], steps)
        check(buffer, twin, layout)
        check(buffer, twin, layout)
