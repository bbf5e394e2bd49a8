import numpy as np

from keras_rlkit.replay.saving.copying_in_pieces import copy_rows


def test_rows_are_copied_in_pieces():
    class OnDisk:
        def __init__(self, array):
            self.array, self.asked = array, []

        def __getitem__(self, rows):
            self.asked.append(rows)
            return self.array[rows]

    # Rows of 6 MiB: two of them in a piece of 16 MiB.
    source = OnDisk(np.arange(5, dtype="uint8")[:, None].repeat(6 * 2**20, 1))
    target = np.zeros_like(source.array)
    copy_rows(target, source)
    assert (target == source.array).all()
    assert [rows.start for rows in source.asked] == [0, 2, 4]
    number = np.array(1.0)
    copy_rows(number, np.array(2.0))
    assert number == 2.0
    copy_rows(np.zeros((0, 3)), np.zeros((0, 3)))
