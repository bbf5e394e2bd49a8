"""What the equations ask of their arguments."""

from collections.abc import Iterable
from typing import Any

import keras


def check_shapes(arguments: Iterable[tuple[str, Any, str]]) -> None:
    """Raise unless every tensor has its rank and its sizes agree.

    Sizes that are unknown while tracing pass.

    Args:
        arguments: One `(name, tensor, axes)` for each argument, with one
            letter per axis, as in `("next_q", next_q, "BA")`. Axes of the
            same letter must have the same size.

    Raises:
        ValueError: If a rank is wrong or two sizes of a letter differ.
    """
    first = {}
    for name, tensor, axes in arguments:
        shape = tuple(tensor.shape)
        received = f"Received: {name}.shape={shape}"
        if len(shape) != len(axes):
            raise ValueError(
                f"`{name}` must have shape [{', '.join(axes)}]. {received}. "
                "No axis is squeezed or broadcast here: reshape it before."
            )
        for axis, size in zip(axes, shape):
            if size is None:
                continue
            other, other_shape, other_size = first.setdefault(
                axis, (name, shape, size)
            )
            if size != other_size:
                raise ValueError(
                    f"`{name}` must have size {other_size} along axis {axis}, "
                    f"as `{other}` has. {received}, "
                    f"{other}.shape={other_shape}. "
                    "No axis is squeezed or broadcast here: reshape it before."
                )


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
