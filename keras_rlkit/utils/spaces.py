"""What a space of observations says of their arrays, without gymnasium."""

from typing import Any

import numpy as np

MASK_KEY = "action_mask"


def observation_parts(space: Any) -> tuple[Any, Any, bool]:
    """Return shapes and dtypes of an environment's observations.

    Args:
        space: Observation space of one environment: with a shape, or a
            dictionary or tuple of spaces.

    Returns:
        A tuple `(shape, dtype, has_mask)`: of one array, or nests like the
        space; and whether it is a dictionary whose key `"action_mask"` holds
        the mask of allowed actions, which is left out of the nests.

    Raises:
        ValueError: If a part of the space holds no array.
    """
    parts = _parts(space)
    has_mask = isinstance(parts, dict) and MASK_KEY in parts and len(parts) > 1
    if has_mask:
        parts = {key: part for key, part in parts.items() if key != MASK_KEY}
    if parts is None:
        return *_array("", space), False
    return (
        *(_nest(parts, "", number) for number in (0, 1)),
        has_mask,
    )


def leaf_spaces(space: Any) -> list[tuple[str, Any]]:
    """Return the spaces of the arrays of an observation, with their paths.

    Args:
        space: Observation space of one environment. A mask in it is left out.

    Returns:
        Pairs of a path, as Python writes it, and a space, in the order in which
        `keras.tree` has the arrays.
    """
    parts = _parts(space)
    if isinstance(parts, dict) and MASK_KEY in parts and len(parts) > 1:
        parts = {key: part for key, part in parts.items() if key != MASK_KEY}
    return _leaf_spaces(space if parts is None else parts, "")


def _leaf_spaces(part: Any, path: str) -> list[tuple[str, Any]]:
    parts = part if isinstance(part, dict) else _parts(part)
    parts = part if parts is None else parts
    if isinstance(parts, dict):
        pairs: Any = sorted(parts.items())
    elif isinstance(parts, (tuple, list)):
        pairs = enumerate(parts)
    else:
        return [(path, part)]
    return [
        leaf
        for key, value in pairs
        for leaf in _leaf_spaces(value, f"{path}[{key!r}]")
    ]


def _parts(space: Any) -> Any:
    """Return what a `Dict` or `Tuple` space consists of, else `None`.

    A `OneOf` has parts too, of which an observation has only one.
    """
    several = any(kind.__name__ == "OneOf" for kind in type(space).__mro__)
    return None if several else getattr(space, "spaces", None)


def _nest(part: Any, path: str, number: int) -> Any:
    parts = part if isinstance(part, dict) else _parts(part)
    parts = part if parts is None else parts
    if isinstance(parts, dict):
        return {
            key: _nest(value, f"{path}[{key!r}]", number)
            for key, value in parts.items()
        }
    if isinstance(parts, (tuple, list)):
        return tuple(
            _nest(value, f"{path}[{place}]", number)
            for place, value in enumerate(parts)
        )
    return _array(path, part)[number]


def _array(path: str, space: Any) -> tuple[tuple[int, ...], np.dtype]:
    shape = getattr(space, "shape", None)
    dtype = getattr(space, "dtype", None)
    if shape is None or dtype is None or np.dtype(dtype).kind not in "biuf":
        raise ValueError(
            "`environment` must have arrays of numbers as observations (`Box`, "
            "`Discrete`, `MultiBinary`, `MultiDiscrete`), or dictionaries and "
            f"tuples of such. Received: observation_space{path}={space}. Turn "
            "it into an array in a wrapper."
        )
    return tuple(shape), np.dtype(dtype)
