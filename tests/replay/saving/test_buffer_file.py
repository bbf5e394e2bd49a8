import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from keras_rlkit.replay import ReplayBuffer
from keras_rlkit.replay.saving import buffer_file

HEADER = {"config": {"capacity": 3}, "counters": {"added": 2**40}}
ARRAYS = {
    "frames": np.arange(6, dtype="uint8").reshape(2, 3),
    "reward": np.array([0.5, -0.0, np.nan], "float32"),
    "flag": np.array(True),
}
NO = np.array([False])


def make_buffer(**arguments):
    """Ten transitions with stacks of two, in a ring of eight."""
    buffer = ReplayBuffer(
        8, (2, 2), "uint8", frame_stack=2, seed=0, **arguments
    )
    for t in range(10):
        now = np.full((1, 2, 2), t, "uint8")
        buffer.add(now, np.array([t % 3]), np.array([t / 2]), NO, NO, now + 1)
    return buffer


def savez(path, **arrays):
    # NumPy puts ".npz" behind a name, but not behind an open file.
    with open(path, "wb") as file:
        np.savez(file, **arrays)


def content(buffer):
    observation, rest = buffer.transitions()
    arrays = [observation, *rest.values(), buffer.sample(5)[0]]
    return [array.tolist() for array in arrays]


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "replay"
    buffer_file.write(path, HEADER, ARRAYS)
    header, arrays = buffer_file.read(str(path))
    assert header["config"] == HEADER["config"]
    assert header["counters"] == HEADER["counters"]
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].tobytes() == array.tobytes()
    # The name is the one that was given, nothing is put behind it.
    assert [file.name for file in tmp_path.iterdir()] == ["replay"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_actions": np.int64(3), "n_step": np.int32(2)},
        {"discount": np.float32(0.5)},
        {"num_actions": None},
    ],
)
def test_numpy_numbers_are_saved_too(tmp_path, arguments):
    buffer = make_buffer(**arguments)
    buffer.save(tmp_path / "replay")
    loaded = ReplayBuffer.load(tmp_path / "replay")
    for name in ("capacity", "num_envs", "frame_stack", "n_step", "discount"):
        assert getattr(loaded, name) == getattr(buffer, name)
    assert loaded.num_actions == buffer.num_actions
    assert content(loaded) == content(buffer)


def test_a_numpy_integer_as_frame_stack(tmp_path):
    buffer = ReplayBuffer(8, (2, 2), "uint8", frame_stack=np.int64(2))
    buffer.save(tmp_path / "replay")
    assert ReplayBuffer.load(tmp_path / "replay").frame_stack == 2


def test_damage_is_noticed_or_does_no_harm(tmp_path):
    path = tmp_path / "replay"
    buffer = make_buffer()
    buffer.save(path)
    whole = path.read_bytes()
    expected = content(ReplayBuffer.load(path))
    generator = np.random.default_rng(0)
    # The directory at the end of the file breaks in the strangest ways.
    places = {*range(len(whole) - 1_200, len(whole), 3)}
    places |= set(generator.integers(len(whole), size=400).tolist())
    refused = 0
    for place in sorted(places):
        damaged = bytearray(whole)
        damaged[place] ^= int(generator.integers(1, 256))
        path.write_bytes(damaged)
        try:
            loaded = ReplayBuffer.load(path)
        except ValueError as error:
            assert str(error).startswith("`path` must ")
            refused += 1
        else:
            # Dates and the like.
            assert content(loaded) == expected
    assert refused > len(places) / 2


def test_a_file_that_was_cut_off(tmp_path):
    path = tmp_path / "replay"
    make_buffer().save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(
            ValueError,
            match="`path` must be a complete file of `ReplayBuffer.save`. Rece"
            "ived: path='.*replay', which can't be read: ",
        ):
            ReplayBuffer.load(path)


class Malicious:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_no_code_from_a_file_runs(tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "replay"
    make_buffer().save(path)
    with np.load(path) as file:
        arrays = dict(file)
    trap = np.array([Malicious(mark)], dtype=object)
    path.write_bytes(pickle.dumps(Malicious(mark)))
    with pytest.raises(ValueError, match="`path` must be a complete file"):
        ReplayBuffer.load(path)
    np.save(tmp_path / "trap.npy", trap)
    with pytest.raises(ValueError, match="`path` must be a complete file"):
        ReplayBuffer.load(tmp_path / "trap.npy")
    for name in arrays:
        np.savez(tmp_path / "trap.npz", **{**arrays, name: trap})
        with pytest.raises(ValueError, match="`path` must be a complete file"):
            ReplayBuffer.load(tmp_path / "trap.npz")
    assert not mark.exists()
    # The trap works: NumPy springs it where it is allowed to.
    np.load(tmp_path / "trap.npy", allow_pickle=True)
    assert mark.exists()


def test_files_of_others(tmp_path):
    path = tmp_path / "other"
    savez(path, a=np.zeros(3))
    with pytest.raises(ValueError, match="which can't be read: 'header'"):
        ReplayBuffer.load(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match="`path` must be a complete file"):
        ReplayBuffer.load(path)
    np.save(tmp_path / "other.npy", np.zeros(3))
    with pytest.raises(ValueError, match="`path` must be a complete file"):
        ReplayBuffer.load(tmp_path / "other.npy")
    header = np.frombuffer(json.dumps({"format": "mine"}).encode(), np.uint8)
    savez(path, header=header)
    with pytest.raises(
        ValueError,
        match="`path` must be a file of `ReplayBuffer.save`, version 3. Receiv"
        "ed: path='.*other' with format='mine', version=None.",
    ):
        ReplayBuffer.load(path)


def test_files_of_another_version(tmp_path, monkeypatch):
    path = tmp_path / "replay"
    monkeypatch.setattr(buffer_file, "VERSION", 4)
    make_buffer().save(path)
    monkeypatch.undo()
    with pytest.raises(
        ValueError, match=r"version 3\. Received: .*version=4\."
    ):
        ReplayBuffer.load(path)


def test_arrays_that_do_not_belong_to_the_header(tmp_path):
    path = tmp_path / "replay"
    make_buffer().save(path)
    with np.load(path) as file:
        arrays = dict(file)
    for changed in (
        {**arrays, "reward": arrays["reward"][:-1]},
        {**arrays, "reward": arrays["reward"].astype("float64")},
        {name: a for name, a in arrays.items() if name != "reward"},
    ):
        savez(path, **changed)
        with pytest.raises(
            ValueError,
            match="`path` must hold the arrays of the buffer it describes: {'a"
            "ction': .*Received: path='.*replay' with {'action'",
        ):
            ReplayBuffer.load(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        ReplayBuffer.load(tmp_path / "missing")


@pytest.mark.parametrize("broken", ["savez", "fsync", "replace"])
def test_an_old_file_stays_whole_until_the_new_one_is(
    tmp_path, monkeypatch, broken
):
    path = tmp_path / "replay"
    make_buffer().save(path)
    old = path.read_bytes()

    def fail(target, *arguments, **arrays):
        if broken == "savez":
            target.write(b"half a file")
        raise OSError("no space left on device")

    monkeypatch.setattr(np if broken == "savez" else os, broken, fail)
    with pytest.raises(OSError, match="no space left on device"):
        make_buffer(n_step=2).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["replay"]


def test_a_new_file_replaces_an_old_one(tmp_path):
    path = tmp_path / "replay"
    make_buffer().save(path)
    make_buffer(n_step=3).save(path)
    assert ReplayBuffer.load(path).n_step == 3
