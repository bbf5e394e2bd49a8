"""Nested states of numbers and arrays, split into JSON and plain arrays."""

from typing import Any

import numpy as np

ARRAY_KEY = "array:"

PLAIN_KINDS = "biufcSU"


def pack(state: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """Split a state into what JSON can hold, and arrays by name.

    Args:
        state: Dictionaries with string keys, lists and tuples of `None`,
            booleans, numbers, strings and NumPy arrays. Tuples come back as
            lists.

    Returns:
        A tuple `(tree, arrays)` for `unpack`.

    Raises:
        ValueError: If the state holds anything else.
    """
    arrays: dict[str, np.ndarray] = {}
    return _pack(state, "", arrays), arrays


def _pack(state: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    if state is None or isinstance(state, (bool, int, float, str)):
        return state
    if isinstance(state, np.generic):
        return _pack(state.item(), path, arrays)
    if isinstance(state, np.ndarray):
        if state.dtype.kind in PLAIN_KINDS:
            arrays[path] = state
            return {ARRAY_KEY: path}
    elif isinstance(state, (list, tuple)):
        return [
            _pack(item, f"{path}/{number}", arrays)
            for number, item in enumerate(state)
        ]
    elif isinstance(state, dict) and all(isinstance(k, str) for k in state):
        return {
            key: _pack(item, f"{path}/{key}", arrays)
            for key, item in state.items()
        }
    raise ValueError(
        "A state must hold only numbers, strings, `None`, arrays of numbers, "
        "lists and dictionaries with string keys. Received: "
        f"{type(state).__name__} at {path!r}."
    )


def unpack(tree: Any, arrays: dict[str, Any]) -> Any:
    """Put together what `pack` took apart.

    Args:
        tree: First part of what `pack` returned.
        arrays: Second part, or other objects by the same names.

    Returns:
        The state.

    Raises:
        KeyError: If an array is missing.
    """
    if isinstance(tree, list):
        return [unpack(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if set(tree) == {ARRAY_KEY}:
        return arrays[tree[ARRAY_KEY]]
    return {key: unpack(item, arrays) for key, item in tree.items()}
