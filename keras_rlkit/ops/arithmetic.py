"""Arithmetic that equations share: products without NaN, float32."""

from typing import Any

import keras


def multiply_no_nan(factor: Any, value: Any) -> Any:
    """Return `factor * value`, and 0 where the factor is 0.

    0 * NaN and 0 * inf are NaN. What has the factor 0, such as the value of
    what follows a terminal state, must not be seen, whatever it holds.

    Args:
        factor: Tensor of any shape.
        value: Tensor that broadcasts against it, of the same dtype.

    Returns:
        Tensor.
    """
    return factor * keras.ops.where(keras.ops.equal(factor, 0), 0.0, value)


def to_float32(value: Any) -> Any:
    """Return a tensor, an array or a list as a float32 tensor."""
    return keras.ops.cast(value, "float32")
