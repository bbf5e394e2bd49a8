import re
import types

import psutil
import pytest

from keras_rlkit.replay import ReplayBuffer
from keras_rlkit.replay.storage.machine_limits import check_memory

GIBIBYTE = 2**30


@pytest.fixture
def available(monkeypatch):
    def give(size):
        monkeypatch.setattr(
            psutil,
            "virtual_memory",
            lambda: types.SimpleNamespace(available=size),
        )

    return give


def test_what_fits_is_allowed(available):
    available(GIBIBYTE)
    check_memory(GIBIBYTE, capacity=10)
    with pytest.raises(MemoryError):
        check_memory(GIBIBYTE + 1, capacity=10)


def test_the_message_says_how_much_and_what_to_do(available):
    available(3 * GIBIBYTE)
    # 0.9 * 3 / 12 of a thousand.
    with pytest.raises(
        MemoryError,
        match=r"^`capacity` needs more memory than this machine has available: "
        r"12\.00 GiB against 3\.00 GiB\. Received: capacity=1000\. Use "
        r"`capacity=225` or less, smaller images, or a smaller dtype such as ",
    ):
        check_memory(12 * GIBIBYTE, capacity=1_000)


def test_what_it_says_helps(available):
    available(20 * 2**20)
    arguments = ((84, 84, 4), "uint8", 8, 4)
    with pytest.raises(MemoryError) as refusal:
        ReplayBuffer(200_000, *arguments)
    capacity = int(re.search(r"`capacity=(\d+)`", str(refusal.value))[1])
    assert capacity > 2_000
    buffer = ReplayBuffer(capacity, *arguments)
    assert buffer.nbytes <= 20 * 2**20


def test_the_buffer_is_refused_before_anything_is_allocated(available):
    available(GIBIBYTE)
    # A hundred terabytes; touching them would not end well.
    with pytest.raises(MemoryError, match=r"Received: capacity=10000000000\."):
        ReplayBuffer(10**10, (100, 100), "uint8")
