import contextlib
import errno
import gc
import os
import re
import shutil
import types

import numpy as np
import pytest

from keras_rlkit.replay import Disk, ReplayBuffer
from keras_rlkit.replay.storage.frames_on_disk import FramesOnDisk

NO = np.array([False])


def make(folder, **arguments):
    return ReplayBuffer(
        20, (16, 16), "uint8", storage=Disk(folder), seed=0, **arguments
    )


def add(buffer, number):
    now = np.full((1, 16, 16), number, "uint8")
    buffer.add(now, np.array([0]), np.array([1.0 * number]), NO, NO, now + 1)


def open_files(folder):
    """How many files of a folder are open, those without a name too."""
    links = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return sum(link.startswith(f"{folder}/") for link in links)


def test_frames_come_back_in_any_order(tmp_path):
    storage = FramesOnDisk(200, 3, np.dtype("u8"), str(tmp_path))
    frames = np.arange(1, 901, dtype="u8").reshape(300, 3)
    storage.write(0, [(0, frame) for frame in frames[:150]])
    storage.write(150, [(0, frame) for frame in frames[150:]])
    # Slots 0 to 99 were written twice.
    expected = np.zeros((201, 3), "u8")
    expected[:100], expected[100:200] = frames[200:], frames[100:200]
    for slots in (
        np.arange(201),
        np.arange(200, -1, -1),
        np.repeat(np.arange(201), 2),
        np.random.default_rng(0).integers(0, 201, 400),
    ):
        np.testing.assert_array_equal(storage.read(slots), expected[slots])
    np.testing.assert_array_equal(storage.arrays()["frames"], expected)
    assert storage.read(slots[:0]).shape == (0, 3)


def test_the_file_has_no_name_and_goes_with_the_buffer(tmp_path):
    buffer = make(tmp_path)
    for number in range(30):
        add(buffer, number)
    buffer.transitions()
    assert not list(tmp_path.iterdir())
    assert open_files(tmp_path) == 1
    del buffer
    gc.collect()
    assert open_files(tmp_path) == 0


def test_room_is_claimed_at_once(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    size = 2**24
    storage = FramesOnDisk(size // 8 - 1, 1, np.dtype("u8"), str(tmp_path))
    # Others write too.
    assert free - shutil.disk_usage(tmp_path).free > size / 2
    assert storage.arrays()["frames"].nbytes == size


def test_a_disk_without_room_is_refused(tmp_path, monkeypatch):
    make(tmp_path)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: types.SimpleNamespace(free=2**14)
    )
    with pytest.raises(
        OSError,
        match=r"`capacity` needs more room than the disk of '.*' has free: "
        r"0\.00 GiB against 0\.00 GiB\. Received: capacity=2000\. Use "
        r"`capacity=\d+` or less, or `storage=keras_rlkit.replay.Disk\(folder",
    ) as refusal:
        ReplayBuffer(2_000, (16, 16), "uint8", storage=Disk(tmp_path))
    assert refusal.value.errno == errno.ENOSPC
    fitting = int(re.search(r"`capacity=(\d+)`", str(refusal.value))[1])
    # 2**14 bytes are 64 frames of 256 bytes, with two in each transition.
    assert 15 <= fitting <= 32


def test_a_disk_that_fills_while_room_is_claimed(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", fail)
    with pytest.raises(OSError, match="No space left on device"):
        make(tmp_path)
    gc.collect()
    assert open_files(tmp_path) == 0


def test_a_disk_that_fails_loses_nothing(tmp_path, monkeypatch):
    buffer, same = make(tmp_path, n_step=2), make(tmp_path, n_step=2)
    for number in range(30):
        add(buffer, number)
        add(same, number)

    def fail(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", fail)
        with pytest.raises(OSError, match="Input/output error"):
            add(buffer, 30)
    for number in range(30, 40):
        ours, theirs = buffer.transitions(), same.transitions()
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1]["reward"], theirs[1]["reward"])
        add(buffer, number)
        add(same, number)


def test_a_disk_that_fails_in_the_middle_of_a_step(tmp_path, monkeypatch):
    buffer = ReplayBuffer(
        20, (32, 32), "uint8", num_envs=2, storage=Disk(tmp_path), seed=0
    )

    def add(number):
        # Episodes of one step share no frames and turn the ring fast.
        numbers = np.array([number, number + 100])
        now = np.empty((2, 32, 32), "uint8")
        now[...] = numbers[:, None, None]
        yes = np.array([True, True])
        buffer.add(now, numbers, numbers, yes, yes, now[::-1])

    def check():
        observation, rest = buffer.transitions()
        np.testing.assert_array_equal(observation[:, 0, 0], rest["action"])

    pwrite, calls = os.pwrite, []

    def fail_at_the_third(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise OSError(errno.EIO, "Input/output error")
        return pwrite(*arguments)

    for number in range(1, 60):
        add(number)
    held = len(buffer)
    for number in range(60, 70):
        calls.clear()
        with monkeypatch.context() as broken:
            broken.setattr(os, "pwrite", fail_at_the_third)
            with pytest.raises(OSError, match="Input/output error"):
                add(number)
        check()
        add(number)
        check()
    assert 10 < held == len(buffer) < 20


def test_a_disk_that_reads_or_writes_too_little(tmp_path, monkeypatch):
    buffer = make(tmp_path)
    add(buffer, 0)
    with monkeypatch.context() as broken:
        broken.setattr(os, "preadv", lambda *arguments: 100)
        with pytest.raises(OSError, match="not be read whole: 100 of 256"):
            buffer.transitions()
        broken.setattr(os, "pwrite", lambda *arguments: 100)
        with pytest.raises(OSError, match="be written whole: 100 of 256 bytes"):
            add(buffer, 1)
    assert buffer.transitions()[0][0, 0, 0] == 0


def test_a_system_that_lacks_the_calls(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "preadv")
    with pytest.raises(OSError, match="`storage` can't be on disk on this"):
        make(tmp_path)


def test_a_system_that_can_not_claim_room(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    buffer = make(tmp_path)
    for number in range(30):
        add(buffer, number)
    np.testing.assert_array_equal(
        buffer.transitions()[0][:, 0, 0], np.arange(10, 30)
    )
