import os

import pytest

from keras_rlkit.replay.saving.whole_files import sync_names, whole_file


def test_a_file_gets_its_name_once_it_is_complete(tmp_path):
    path = tmp_path / "state"
    with whole_file(path) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert os.listdir(tmp_path) == ["state"]


@pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt()])
def test_what_breaks_off_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "state"
    path.write_bytes(b"old")
    with pytest.raises(type(error)):
        with whole_file(path) as file:
            file.write(b"new")
            raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["state"]


def test_names_of_a_folder_that_is_gone_are_no_error(tmp_path):
    sync_names(tmp_path / "gone")
