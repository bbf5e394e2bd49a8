"""How the weights of a target network follow those of an online network."""

from typing import Any

import keras


def soft_update(target: Any, online: Any, rate: Any) -> Any:
    """Move target weights a share of the way to online weights.

    `target + rate * (online - target)`. Whole numbers, such as the counters
    of random generators, can't be averaged and are copied.

    Args:
        target: Tensor of any shape. Keep it in float32 whatever the online
            weights are: in bfloat16 and float16, steps of a small rate are
            rounded away long before the target arrives.
        online: Tensor of the same shape.
        rate: Number in [0, 1], share of the way per update.

    Returns:
        Tensor of the target's shape and dtype.

    Example:

    ```python
    rlk.ops.soft_update(np.zeros(3), np.ones(3), rate=0.1)  # [0.1, 0.1, 0.1]
    ```

    Reference:
        Lillicrap et al., Continuous control with deep reinforcement learning,
        section 3, https://arxiv.org/abs/1509.02971
    """
    target = keras.ops.convert_to_tensor(target)
    online = keras.ops.cast(online, target.dtype)
    if rate == 1 or not keras.backend.is_float_dtype(online.dtype):
        return online
    return target + keras.ops.cast(rate, target.dtype) * (online - target)


def periodic_update(target: Any, online: Any, steps: Any, period: int) -> Any:
    """Copy online weights to target weights every `period` steps.

    Args:
        target: Tensor of any shape.
        online: Tensor of the same shape.
        steps: Integer scalar, gradient steps taken so far, this one included.
        period: Gradient steps between two copies.

    Returns:
        `online` where `steps` is a multiple of `period`, else `target`, in
        the target's dtype.

    Example:

    ```python
    rlk.ops.periodic_update(np.zeros(2), np.ones(2), steps=20, period=10)
    # [1.0, 1.0]
    ```

    Reference:
        Mnih et al., Human-level control through deep reinforcement learning,
        algorithm 1, https://doi.org/10.1038/nature14236
    """
    target = keras.ops.convert_to_tensor(target)
    online = keras.ops.cast(online, target.dtype)
    copy_now = keras.ops.equal(keras.ops.mod(steps, period), 0)
    return keras.ops.where(copy_now, online, target)
