import os

import numpy as np
import pytest

from keras_rlkit.replay.saving import blocks
from keras_rlkit.replay.saving.blocks import Blocks, StoredArray, bytes_of


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 8)


@pytest.fixture
def folder(tmp_path):
    made = Blocks(tmp_path / "blocks")
    made.begin()
    return made


def test_bytes_come_back_block_by_block(folder):
    names = folder.write(memoryview(b"first 8 second 8end"))
    assert [folder.read(name) for name in names] == [
        b"first 8 ",
        b"second 8",
        b"end",
    ]


def test_equal_blocks_are_one_file(folder):
    names = folder.write(memoryview(b"12345678" * 3))
    assert len(names) == 3 and len(set(names)) == 1
    assert len(os.listdir(folder.folder)) == 1


def test_a_damaged_block_is_noticed_and_written_again(folder):
    (name,) = folder.write(memoryview(b"sound"))
    (folder.folder / name).write_bytes(b"other")
    with pytest.raises(ValueError, match=f"block {name} is damaged"):
        folder.read(name)
    again = Blocks(folder.folder)
    again.begin()
    assert again.write(memoryview(b"sound")) == [name]
    assert again.read(name) == b"sound"


def test_what_is_not_needed_leaves(folder):
    kept, gone = folder.write(memoryview(b"12345678abcdefgh"))
    folder.keep({kept})
    assert os.listdir(folder.folder) == [kept] != [gone]


def test_rows_are_read_from_the_blocks_that_hold_them(folder):
    array = np.arange(20, dtype="int32").reshape(10, 2)
    names, read = folder.write(bytes_of(array)), []

    def noted(name):
        read.append(name)
        return folder.read(name)

    stored = StoredArray(array.shape, array.dtype, names, noted)
    np.testing.assert_array_equal(stored[3:5], array[3:5])
    assert read == names[3:5]
    np.testing.assert_array_equal(np.asarray(stored), array)


def test_blocks_that_do_not_fit_the_shape(folder):
    names = folder.write(bytes_of(np.zeros(5, "int32")))
    array = StoredArray((6,), np.dtype("int32"), names, folder.read)
    with pytest.raises(ValueError, match="don't fit its shape"):
        array.check()
