import numpy as np
import pytest

from tests.replay.episodes import add, new_buffer


def test_minibatches_hold_every_sample_once_per_pass():
    buffer = new_buffer(seed=0)
    for step in range(10):
        add(buffer, step, step, terminated=True)
    batches = buffer.batches(minibatches=3, passes=2, pad=False)
    assert batches.num_batches == 6
    taken = [batches[index] for index in range(6)]
    assert [len(batch[0]) for batch in taken] == [4, 3, 3] * 2
    orders = []
    for start in (0, 3):
        part = taken[start : start + 3]
        observation = np.concatenate([batch[0] for batch in part])[:, 0]
        assert sorted(observation) == list(range(10))
        weight = np.concatenate([batch[2] for batch in part])
        np.testing.assert_array_equal(weight, observation)
        orders.append(observation.tolist())
    assert orders[0] != orders[1]


def test_passes_follow_each_other_whatever_order_keras_asks_for():
    buffer = new_buffer(seed=0)
    for number in range(4):
        add(buffer, number, 1.0, terminated=number == 3)
    batches = buffer.batches(minibatches=2, passes=2, pad=False)
    seen = [batches[index][0][:, 0].tolist() for index in (3, 0, 2, 1)]
    assert sorted(seen[0] + seen[1]) == [0, 1, 2, 3]
    assert sorted(seen[2] + seen[3]) == [0, 1, 2, 3]


def test_fewer_samples_than_minibatches():
    buffer = new_buffer()
    add(buffer, 4, 1.0, terminated=True)
    batches = buffer.batches(minibatches=3)
    for index in range(3):
        np.testing.assert_array_equal(batches[index][0], [[4.0]])


def test_data_are_given_out_once():
    buffer = new_buffer()
    batches = buffer.batches()
    # Before there are data, a look gets zeros, once for each index.
    np.testing.assert_array_equal(batches[0][2], np.zeros(8))
    with pytest.raises(ValueError, match="at least one transition. Rec"):
        batches[0]
    add(buffer, 4, 1.0, terminated=True)
    # `fit` may look at data that were added by hand, too.
    for _ in range(2):
        batches[0]
    with pytest.raises(ValueError, match="have been used already"):
        batches[0]
    # What is added after training begins a new epoch.
    add(buffer, 9, 2.0, terminated=True)
    np.testing.assert_array_equal(batches[0][0], [[9.0]])
    with pytest.raises(ValueError, match="have been used already"):
        batches[0]
