import numpy as np
import pytest

import keras_rlkit as rlk


def test_value_loss_by_hand():
    loss = rlk.ops.value_loss([1.0, 3.0], [4.0, 3.0])
    np.testing.assert_allclose(np.array(loss), [4.5, 0.0])


def test_clipped_value_loss_by_hand():
    # Moved past the clip towards the target: counts as at the clip. Moved
    # away from the target: counts in full. Within the clip: as unclipped.
    value, old, target = [3.0, -1.0, 1.2], [1.0, 1.0, 1.0], [4.0, 4.0, 4.0]
    loss = rlk.ops.clipped_value_loss(value, old, target, 0.5)
    np.testing.assert_allclose(
        np.array(loss), [2.5**2 / 2, 5**2 / 2, 2.8**2 / 2], rtol=1e-5
    )


def test_wrong_arguments_raise():
    with pytest.raises(ValueError, match="`target` must have size 1"):
        rlk.ops.value_loss([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"`value` must have shape \[B\]"):
        rlk.ops.value_loss([[1.0]], [1.0])
    with pytest.raises(ValueError, match="`clip` must be a positive"):
        rlk.ops.clipped_value_loss([1.0], [1.0], [1.0], 0)
    with pytest.raises(ValueError, match="`old_value` must have size 1"):
        rlk.ops.clipped_value_loss([1.0], [1.0, 2.0], [1.0], 0.1)
