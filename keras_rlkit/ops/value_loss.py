"""Losses of a value function, one number per sample."""

from typing import Any

import keras

from keras_rlkit.ops.arithmetic import to_float32
from keras_rlkit.ops.shape_checks import check_shapes
from keras_rlkit.utils import check_positive_number


def value_loss(value: Any, target: Any) -> Any:
    """Half the squared difference between a value and its target.

    Args:
        value: Values of the states, [B].
        target: What they should be, such as lambda returns, [B]. Carries no
            gradient.

    Returns:
        float32 tensor, one loss per sample, [B].

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.value_loss(value=[1.0], target=[4.0])  # [4.5]
    ```

    Reference:
        Mnih et al., Asynchronous Methods for Deep Reinforcement Learning,
        section 4, https://arxiv.org/abs/1602.01783
    """
    value, target = to_float32(value), to_float32(target)
    check_shapes([("value", value, "B"), ("target", target, "B")])
    target = keras.ops.stop_gradient(target)
    return 0.5 * keras.ops.square(value - target)


def clipped_value_loss(
    value: Any, old_value: Any, target: Any, clip: float
) -> Any:
    """Value loss that gains nothing from moving far from the old value.

    The larger of the loss of `value` and the loss of `value` clipped to
    within `clip` of `old_value`.

    Args:
        value: Values of the states now, [B].
        old_value: Values when the data were collected, [B]. Carries no
            gradient.
        target: What they should be, [B]. Carries no gradient.
        clip: Positive number, in units of the value.

    Returns:
        float32 tensor, one loss per sample, [B].

    Raises:
        ValueError: If a rank is wrong, sizes differ, or `clip` is not a
            positive number.

    Example:

    ```python
    rlk.ops.clipped_value_loss(
        value=[3.0], old_value=[1.0], target=[4.0], clip=0.5
    )  # 1.5 instead of 3: [3.125]
    ```

    Reference:
        Engstrom et al., Implementation Matters in Deep Policy Gradients,
        section 2, https://arxiv.org/abs/2005.12729
    """
    clip = check_positive_number("clip", clip)
    value, target = to_float32(value), to_float32(target)
    old_value = to_float32(old_value)
    check_shapes([("value", value, "B"), ("old_value", old_value, "B")])
    old_value = keras.ops.stop_gradient(old_value)
    near = old_value + keras.ops.clip(value - old_value, -clip, clip)
    return keras.ops.maximum(
        value_loss(value, target), value_loss(near, target)
    )
