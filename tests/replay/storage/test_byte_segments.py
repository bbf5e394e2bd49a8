import types

import numpy as np
import pytest

from keras_rlkit.replay.storage import machine_limits
from keras_rlkit.replay.storage.byte_segments import RESERVE_BYTES, ByteSegments


def content(arena, address, length):
    return arena.read(address, length).tobytes()


def test_strings_lie_one_behind_the_other():
    arena = ByteSegments(segment_bytes=10, limit=None)
    addresses = [arena.append(s) for s in (b"abcd", b"efghij", b"klm", b"nop")]
    # The second fills the first segment to its last byte.
    assert addresses == [0, 4, 10, 13]
    assert content(arena, 4, 6) == b"efghij"
    assert content(arena, 13, 3) == b"nop"
    # Four bytes are left, five don't fit.
    assert arena.append(b"qrstu") == 20
    assert len(arena.segments) == 3


def test_segments_are_filled_again():
    arena = ByteSegments(segment_bytes=10, limit=30)
    first, second, third = (arena.append(bytes([n] * 9)) for n in (1, 2, 3))
    assert arena.append(b"x" * 9) is None
    arena.release(first)
    assert arena.append(b"x" * 9) is None
    arena.release(second)
    assert arena.append(b"x" * 9) == first
    assert content(arena, second, 9) == bytes([2] * 9)
    arena.release(third)
    assert arena.append(b"y" * 9) == second
    assert content(arena, third, 9) == bytes([3] * 9)
    assert content(arena, first, 9) == b"x" * 9
    arena.release(None)
    for _ in range(3):
        assert arena.append(b"z" * 9) is not None
    assert arena.append(b"z" * 9) is None
    assert len(arena.segments) == 3


def test_one_segment_is_always_there():
    arena = ByteSegments(segment_bytes=10, limit=1)
    assert arena.append(b"x" * 10) == 0
    assert arena.append(b"x") is None


def test_memory_is_left_to_the_machine(monkeypatch):
    available = [RESERVE_BYTES + 10]
    monkeypatch.setattr(
        machine_limits.psutil,
        "virtual_memory",
        lambda: types.SimpleNamespace(available=available[0]),
    )
    arena = ByteSegments(segment_bytes=10, limit=None)
    assert arena.append(b"x" * 10) == 0
    assert arena.append(b"x" * 10) == 10
    available[0] -= 1
    assert arena.append(b"x") is None


def test_a_prepared_arena_goes_on():
    arena = ByteSegments(segment_bytes=10, limit=30)
    for number in range(3):
        last = arena.append(bytes([number] * 6))
    arena.release(last)
    copy = ByteSegments(segment_bytes=10, limit=30)
    copy.prepare(arena.counters())
    for source, target in zip(arena.segments, copy.segments, strict=True):
        target[...] = source
    for number in range(3, 9):
        address = arena.append(bytes([number] * 4))
        assert copy.append(bytes([number] * 4)) == address
        if address is not None:
            assert content(copy, address, 4) == content(arena, address, 4)
    small = ByteSegments(segment_bytes=10, limit=30)
    arena.prepare(small.counters())
    assert len(arena.segments) == 1
    assert arena.append(b"x" * 10) == 0


@pytest.mark.parametrize(
    "counters",
    [
        {"used": [], "free": [0], "filled": 0},
        {"used": [0, 0], "free": [], "filled": 0},
        {"used": [0, 2], "free": [], "filled": 0},
        {"used": [0], "free": [-1], "filled": 0},
        {"used": [0], "free": [], "filled": 11},
    ],
)
def test_counters_that_no_arena_has(counters):
    with pytest.raises(ValueError, match="must each be used or free"):
        ByteSegments(segment_bytes=10, limit=30).prepare(counters)


def test_more_segments_than_fit_into_memory(monkeypatch):
    monkeypatch.setattr(
        machine_limits.psutil,
        "virtual_memory",
        lambda: types.SimpleNamespace(available=2**20),
    )
    arena = ByteSegments(segment_bytes=2**19, limit=None)
    counters = {"used": list(range(4)), "free": [], "filled": 0}
    with pytest.raises(MemoryError, match="Received: 4 segments of 524,288"):
        arena.prepare(counters)


def test_a_queue_of_random_strings():
    generator = np.random.default_rng(0)
    arena = ByteSegments(segment_bytes=100, limit=500)
    held = []
    for number in range(2_000):
        new = generator.bytes(int(generator.integers(1, 60)))
        while (address := arena.append(new)) is None:
            held.pop(0)
            arena.release(held[0][0] if held else None)
        held.append((address, new))
        if number % 50 == 0:
            for address, old in held:
                assert content(arena, address, len(old)) == old
    assert len(arena.segments) == 5
    # Strings of 30 bytes on average: five segments hold at least ten.
    assert len(held) >= 10
