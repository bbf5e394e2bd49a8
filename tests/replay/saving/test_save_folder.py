import builtins
import json
import os
import pathlib
import tempfile
import warnings

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from keras_rlkit.replay.saving import blocks, manifest
from keras_rlkit.replay.saving.save_folder import SaveFolder

BLOCK = 64


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", BLOCK)


def make_state(step=0):
    """Arrays of 10 blocks, of less than one, and of none."""
    large = np.arange(80, dtype="uint64").reshape(40, 2)
    large[3] += step
    return {
        "step": step,
        "large": large,
        "small": np.array([step, np.nan], "float32"),
        "flags": np.array([[True, False]]),
        "number": np.array(7, "int8"),
        "empty": np.zeros((0, 3), "uint8"),
    }


def check(received, step):
    expected = make_state(step)
    assert received["step"] == step
    assert set(received) == set(expected)
    for name in set(expected) - {"step"}:
        array = np.asarray(received[name])
        assert array.dtype == expected[name].dtype
        assert array.shape == expected[name].shape
        assert array.tobytes() == expected[name].tobytes()


def files(folder):
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_is_written_is_read(tmp_path):
    SaveFolder(tmp_path / "saves").write(make_state(3))
    check(SaveFolder(tmp_path / "saves").read(), 3)


def test_nothing_is_read_from_an_empty_or_missing_folder(tmp_path):
    assert SaveFolder(tmp_path).read() is None
    assert SaveFolder(tmp_path / "missing").read() is None


def test_rows_of_a_large_array_are_read_from_its_blocks(tmp_path):
    # 11 rows of 24 bytes: rows lie across the blocks of 64.
    array = np.arange(33, dtype="uint64").reshape(11, 3)
    SaveFolder(tmp_path).write({"array": array})
    received = SaveFolder(tmp_path).read()["array"]
    for start in range(12):
        for stop in range(start, 12):
            assert (received[start:stop] == array[start:stop]).all()
    assert (received[...] == array).all()
    assert received.nbytes == array.nbytes


def test_arrays_of_any_memory_layout(tmp_path):
    array = np.arange(60.0).reshape(3, 4, 5)
    state = {"turned": array.T, "part": array[:, ::2]}
    SaveFolder(tmp_path).write(state)
    received = SaveFolder(tmp_path).read()
    assert (np.asarray(received["turned"]) == array.T).all()
    assert (np.asarray(received["part"]) == array[:, ::2]).all()


def test_only_changed_blocks_are_written(tmp_path):
    saves = SaveFolder(tmp_path)
    saves.write(make_state(1))
    before = files(tmp_path)
    state = make_state(2)
    saves.write(state)
    new = set(files(tmp_path)) - set(before)
    # The one block with row 3, the one of the small arrays, the manifest.
    assert len(new) == 3
    kept = set(before) & set(files(tmp_path))
    assert all(files(tmp_path)[name] == before[name] for name in kept)
    saves.write(state)
    assert len(set(files(tmp_path)) - set(before)) == 4


def test_equal_blocks_are_stored_once(tmp_path):
    SaveFolder(tmp_path).write({"zeros": np.zeros(100 * BLOCK, "uint8")})
    assert len(list((tmp_path / "blocks").iterdir())) == 1


def test_the_last_two_saves_are_kept_and_nothing_else(tmp_path):
    saves = SaveFolder(tmp_path)
    for step in range(1, 6):
        saves.write(make_state(step))
    manifests = sorted(path.name for path in tmp_path.glob("*.json"))
    assert manifests == ["save_00000004.json", "save_00000005.json"]
    # 10 blocks of the large array, of which one differs, and 2 of small ones.
    assert len(list((tmp_path / "blocks").iterdir())) == 10 + 1 + 2
    check(SaveFolder(tmp_path).read(), 5)


def test_numbers_go_on_in_another_process(tmp_path):
    SaveFolder(tmp_path).write(make_state(1))
    SaveFolder(tmp_path).write(make_state(2))
    check(SaveFolder(tmp_path).read(), 2)
    assert len(list(tmp_path.glob("*.json"))) == 2


class Killed(BaseException):
    pass


def test_a_kill_at_any_instant_leaves_a_whole_save(tmp_path, monkeypatch):
    """Every call that changes the disk is the last one, once."""
    calls = {"left": 0}
    changing = {
        (builtins, "open"): builtins.open,
        (os, "fsync"): os.fsync,
        (os, "replace"): os.replace,
        (pathlib.Path, "unlink"): pathlib.Path.unlink,
        (pathlib.Path, "mkdir"): pathlib.Path.mkdir,
    }

    def dying(call):
        def counted(*arguments, **keywords):
            if calls["left"] == 0:
                raise Killed
            calls["left"] -= 1
            return call(*arguments, **keywords)

        return counted

    steps_seen, last = set(), 0
    for left in range(200):
        folder = tmp_path / str(left)
        SaveFolder(folder).write(make_state(1))
        saves = SaveFolder(folder)
        saves.read()
        with monkeypatch.context() as patch:
            for (owner, name), call in changing.items():
                patch.setattr(owner, name, dying(call))
            calls["left"] = left
            try:
                saves.write(make_state(2))
                saves.write(make_state(3))
                complete = True
            except Killed:
                complete = False
        step = SaveFolder(folder).read()["step"]
        check(SaveFolder(folder).read(), step)
        steps_seen.add(step)
        assert step >= last
        last = step
        # What the kill left behind is gone after the next save.
        SaveFolder(folder).write(make_state(4))
        check(SaveFolder(folder).read(), 4)
        names = [p.name for p in folder.rglob("*.unfinished")]
        assert not [name for name in names if "save_" not in name]
        if complete:
            break
    assert complete
    assert steps_seen == {1, 2, 3}


def test_a_kill_while_a_block_is_written_leaves_no_half_block(
    tmp_path, monkeypatch
):
    saves = SaveFolder(tmp_path)
    saves.write(make_state(1))

    def die(descriptor):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", die)
        with pytest.raises(Killed):
            saves.write(make_state(2))
    check(SaveFolder(tmp_path).read(), 1)


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_full_disk(tmp_path, monkeypatch, name):
    saves = SaveFolder(tmp_path)
    saves.write(make_state(1))
    before = set(files(tmp_path))

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        with pytest.raises(
            OSError, match="could not be written: .*No space left on device"
        ) as caught:
            saves.write(make_state(2))
    assert caught.value.errno == 28
    assert set(files(tmp_path)) == before
    check(SaveFolder(tmp_path).read(), 1)
    # Once there is room, saving goes on.
    saves.write(make_state(3))
    check(SaveFolder(tmp_path).read(), 3)


def damage(path, position=None):
    content = bytearray(path.read_bytes())
    position = len(content) // 2 if position is None else position
    content[position] ^= 1
    path.write_bytes(content)


def test_a_damaged_manifest_gives_the_save_before(tmp_path):
    saves = SaveFolder(tmp_path)
    saves.write(make_state(1))
    saves.write(make_state(2))
    damage(tmp_path / "save_00000002.json")
    with pytest.warns(UserWarning, match="over .save 2: its manifest is"):
        check(SaveFolder(tmp_path).read(), 1)


def test_a_damaged_block_gives_the_save_before(tmp_path):
    saves = SaveFolder(tmp_path)
    saves.write(make_state(1))
    old = set((tmp_path / "blocks").iterdir())
    saves.write(make_state(2))
    for path in set((tmp_path / "blocks").iterdir()) - old:
        damage(path)
    saves = SaveFolder(tmp_path)
    with pytest.warns(UserWarning, match="save 2: block .* is damaged"):
        check(saves.read(), 1)
    # The same content is written anew, and the damage is gone with it.
    saves.write(make_state(2))
    check(SaveFolder(tmp_path).read(), 2)


def test_a_missing_block_gives_the_save_before(tmp_path):
    saves = SaveFolder(tmp_path)
    saves.write(make_state(1))
    old = set((tmp_path / "blocks").iterdir())
    saves.write(make_state(2))
    (set((tmp_path / "blocks").iterdir()) - old).pop().unlink()
    with pytest.warns(UserWarning, match="save 2: .*No such file"):
        check(SaveFolder(tmp_path).read(), 1)


def test_all_saves_damaged(tmp_path):
    saves = SaveFolder(tmp_path)
    saves.write(make_state(1))
    saves.write(make_state(2))
    for path in (tmp_path / "blocks").iterdir():
        damage(path)
    with pytest.raises(
        ValueError,
        match="`folder` must hold an undamaged save. .*save 2: block .* is "
        "damaged; save 1: block .* is damaged. Remove the folder",
    ):
        SaveFolder(tmp_path).read()


def test_a_newer_version(tmp_path, monkeypatch):
    SaveFolder(tmp_path).write(make_state(1))
    with monkeypatch.context() as patch:
        patch.setattr(manifest, "VERSION", 3)
        SaveFolder(tmp_path).write(make_state(2))
    with pytest.raises(
        ValueError, match=r"saves of version 2\. .*version=3\. Use the version"
    ):
        SaveFolder(tmp_path).read()


def test_objects_are_neither_written_nor_read(tmp_path):
    with pytest.raises(ValueError, match="only numbers, strings"):
        SaveFolder(tmp_path).write({"a": np.array([print])})
    assert not (tmp_path / "blocks").exists()
    SaveFolder(tmp_path).write(make_state(1))
    path = tmp_path / "save_00000001.json"
    _, content = manifest.unsealed(path.read_bytes())
    content["arrays"]["/small"]["dtype"] = "|O"
    path.write_bytes(manifest.sealed(content))
    with pytest.raises(ValueError, match="array /small has the dtype object"):
        SaveFolder(tmp_path).read()


def test_a_manifest_is_one_line_of_seal_and_json(tmp_path):
    SaveFolder(tmp_path).write(make_state(1))
    text = (tmp_path / "save_00000001.json").read_text()
    known, _, version, content = text.split(" ", 3)
    assert (known, version) == ("keras_rlkit.save", "2")
    assert json.loads(content)["state"]["step"] == 1


def make_saves(folder):
    saves = SaveFolder(folder)
    saves.write(make_state(1))
    saves.write(make_state(2))
    return sorted(path for path in folder.rglob("*") if path.is_file())


@hypothesis.given(data=st.data())
def test_whatever_is_damaged_never_gives_wrong_data(data):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        paths = make_saves(folder)
        for _ in range(data.draw(st.integers(1, 3))):
            damage_somehow(data, data.draw(st.sampled_from(paths)))
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                state = SaveFolder(folder).read()
            except (ValueError, OSError) as error:
                assert "`folder` must hold" in str(error)
                return
        saves = list(folder.glob("save_*.json"))
        if state is None:
            assert not saves
            return
        check(state, state["step"])
        # An older save is never taken without a word.
        if len(saves) == 2 and state["step"] == 1:
            assert "was passed over" in str(warned[0].message)


def damage_somehow(data, path):
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "new", "none"]))
    content = bytearray(path.read_bytes() if path.exists() else b"")
    position = data.draw(st.integers(0, max(0, len(content) - 1)))
    if kind == "flip" and content:
        content[position] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del content[position:]
    elif kind == "insert":
        content[position:position] = data.draw(st.binary(max_size=9))
    elif kind == "new":
        content = data.draw(st.binary(max_size=99))
    path.write_bytes(content)
    if kind == "none":
        path.unlink()
