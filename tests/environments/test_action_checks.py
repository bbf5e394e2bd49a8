import numpy as np
import pytest

from keras_rlkit.environments.action_checks import check_discrete_actions


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"]
)
def test_every_integer_dtype_becomes_int64(dtype):
    actions = check_discrete_actions(np.array([2, 0, 1], dtype), 3, 3)
    assert actions.dtype == np.int64
    np.testing.assert_array_equal(actions, [2, 0, 1])


def test_a_list_and_a_strided_array_are_fine():
    np.testing.assert_array_equal(check_discrete_actions([1, 0], 2, 2), [1, 0])
    column = np.array([[1, 9], [0, 9]])[:, 0]
    np.testing.assert_array_equal(check_discrete_actions(column, 2, 2), [1, 0])


@pytest.mark.parametrize(
    "actions",
    [[0, 3], [-1, 0], np.array([0, 2**64 - 1], "uint64"), [-(2**62), 1]],
)
def test_actions_out_of_range(actions):
    with pytest.raises(ValueError, match=r"must be in \[0, 3\)\. Received: "):
        check_discrete_actions(actions, 2, 3)


@pytest.mark.parametrize(
    "actions", [[0], [[0, 1]], [[0], [1]], 1, [0.0, 1.0], [True, False]]
)
def test_actions_of_other_shapes_and_dtypes(actions):
    with pytest.raises(
        ValueError, match=r"must be integers of shape \(2,\), .* Received: "
    ):
        check_discrete_actions(actions, 2, 3)
