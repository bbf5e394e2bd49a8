"""Nests of dictionaries and tuples, taken apart and put together."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np


def is_shape(value: Any) -> bool:
    """Return whether this is a shape, and not a tuple of such."""
    return not isinstance(value, dict) and not (
        isinstance(value, (tuple, list))
        and any(isinstance(item, (tuple, list, dict)) for item in value)
    )


def flatten(
    name: str, nest: Any, is_leaf: Callable[[Any], bool]
) -> tuple[Any, list[tuple[str, Any]]]:
    """Take a nest apart.

    Args:
        name: Name of the argument, for messages.
        nest: Dictionaries, tuples and lists around leaves.
        is_leaf: Says of a value whether it is a leaf.

    Returns:
        The nest with `None` for each leaf, and the leaves with their paths, in
        the order in which `keras.tree` has them: keys of dictionaries sorted.

    Raises:
        ValueError: If a dictionary or tuple is empty, or a key no string.
    """
    if is_leaf(nest):
        return None, [("", nest)]
    if not len(nest) or not all(
        isinstance(key, str) for key in nest if isinstance(nest, dict)
    ):
        raise ValueError(
            f"`{name}` must be a nest of dictionaries with names as keys and "
            f"of tuples, none of them empty. Received: {nest!r}."
        )
    parts, leaves = [], []
    for key, value in _items(nest):
        part, found = flatten(name, value, is_leaf)
        parts.append((key, part))
        leaves += [(f"[{key!r}]{path}", leaf) for path, leaf in found]
    if isinstance(nest, dict):
        return dict(parts), leaves
    return tuple(part for _, part in parts), leaves


def flatten_like(
    like: Any, name: str, nest: Any, optional: bool = False
) -> list[Any]:
    """Return the leaves of a nest that must be like another one.

    Args:
        like: Nest that tells the form, with `None` for each leaf.
        name: Name of the argument, for messages.
        nest: The nest. Whatever stands where `like` has a leaf is a leaf.
        optional: Whether `None` may stand for a whole part of it, and for keys
            that are missing. Defaults to `False`.

    Raises:
        ValueError: If a key is missing or one too many, or a tuple has another
            length.
    """
    if not isinstance(like, (dict, tuple)):
        if isinstance(nest, dict):
            raise ValueError(
                f"`{name}` must be one array. Received: a dictionary with the "
                f"keys {sorted(nest, key=str)}."
            )
        return [nest]
    if optional and nest is None:
        nest = {} if isinstance(like, dict) else [None] * len(like)
    kind = dict if isinstance(like, dict) else (tuple, list)
    if not isinstance(nest, kind):
        raise ValueError(
            f"`{name}` must be {_described(like)}. Received: {_received(nest)}."
        )
    if isinstance(like, dict):
        missing = [] if optional else sorted(set(like) - set(nest), key=str)
        extra = sorted(set(nest) - set(like), key=str)
        if missing or extra:
            raise ValueError(
                f"`{name}` must be {_described(like)}. Received: the keys "
                f"{sorted(nest, key=str)}, without {missing} and with {extra} "
                "beside them."
            )
    elif len(nest) != len(like):
        raise ValueError(
            f"`{name}` must be {_described(like)}. Received: {len(nest)} parts."
        )
    leaves = []
    for key, part in _items(like):
        value = nest.get(key) if isinstance(like, dict) else nest[key]
        leaves += flatten_like(part, f"{name}[{key!r}]", value, optional)
    return leaves


def pack_like(like: Any, leaves: Sequence[Any]) -> Any:
    """Return a nest made of leaves; leaves that are too many are left out.

    Args:
        like: Nest that tells the form.
        leaves: The leaves in order.
    """
    return _pack(like, iter(leaves))


def num_rows(nest: Any) -> int:
    """Return the size of the first axis of a nest's arrays."""
    while isinstance(nest, (dict, tuple, list)):
        nest = next(iter(nest.values() if isinstance(nest, dict) else nest))
    return len(nest)


def take_rows(nest: Any, rows: Any) -> Any:
    """Return some rows of each array of a nest.

    Args:
        nest: Arrays with the same first axis.
        rows: What they are indexed with.
    """
    if isinstance(nest, np.ndarray):
        return nest[rows]
    return keras.tree.map_structure(lambda array: array[rows], nest)


def _pack(like: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(like, dict):
        return {key: _pack(part, leaves) for key, part in _items(like)}
    if isinstance(like, tuple):
        return tuple(_pack(part, leaves) for part in like)
    return next(leaves)


def _items(nest: Any) -> list[tuple[Any, Any]]:
    return (
        sorted(nest.items()) if isinstance(nest, dict) else [*enumerate(nest)]
    )


def _described(like: Any) -> str:
    if isinstance(like, dict):
        return f"a dictionary with the keys {sorted(like)}"
    return f"a tuple of {len(like)} parts"


def _received(nest: Any) -> str:
    if isinstance(nest, np.ndarray):
        return f"an array of shape {nest.shape}"
    return repr(nest)
