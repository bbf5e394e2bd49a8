import numpy as np

from keras_rlkit.replay.storage.termination import discount_and_end


def test_all_four_ways_in_which_a_step_may_end():
    terminated = np.array([False, True, False, True])
    truncated = np.array([False, False, True, True])
    discount, end = discount_and_end(terminated, truncated, 0.9)
    # Only a terminal state has no future, and it wins over a time limit.
    np.testing.assert_array_equal(discount, [0.9, 0.0, 0.9, 0.0])
    np.testing.assert_array_equal(end, [False, True, True, True])
    assert discount.dtype == np.float64 and end.dtype == bool
