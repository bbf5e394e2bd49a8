"""The check of the shapes that equations are given."""

from collections.abc import Iterable
from typing import Any


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
