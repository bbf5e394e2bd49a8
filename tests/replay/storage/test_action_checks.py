import numpy as np
import pytest

from keras_rlkit.replay.storage.action_checks import check_discrete_action


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int32"])
def test_actions(dtype):
    action = np.array([0, 5], dtype)
    assert check_discrete_action(action, (2,), np.array(6)) is action
    assert check_discrete_action([2**31 - 1], (1,), None).tolist() == [
        2**31 - 1
    ]


@pytest.mark.parametrize(
    "action, num_actions, message",
    [
        ([0, 6], 6, r"`action` must be at least 0 and below 6\. Received: act"),
        ([-1, 0], None, r"below 2147483648\. Received: action=\[-1  0\]\."),
        # It would wrap to 0 where batches hold it, in int32.
        ([2**32, 0], None, r"`action` must be at least 0 and below 2147483648"),
        ([0.0, 1.0], 6, r"must be integers, .* Received: action.dtype=float64"),
        ([True, False], 6, r"Received: action.dtype=bool\."),
        ([[0, 1]], 6, r"must have shape \(2,\), .* action.shape=\(1, 2\)\."),
    ],
)
def test_what_is_no_action(action, num_actions, message):
    with pytest.raises(ValueError, match=message):
        limits = None if num_actions is None else np.array(num_actions)
        check_discrete_action(np.array(action), (2,), limits)
