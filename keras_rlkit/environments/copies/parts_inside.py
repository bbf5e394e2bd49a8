"""The parts that an environment, a space or a function holds."""

import enum
import functools
import random
import types
from typing import Any

from keras_rlkit.environments.copies.part_kinds import (
    COLLECTIONS,
    DICTIONARIES,
    PLAIN,
    fixed_name,
    is_environment,
    is_fixed,
    is_named_tuple,
    is_plain_object,
    name_of,
    setting_key,
    slots_of,
)


def environments_inside(environment: Any) -> list[Any]:
    """Return what a wrapper wraps, or the environments of a vector."""
    held = vars(environment)
    several = held.get("envs")
    several = list(several) if type(several) in (list, tuple) else []
    return [
        part for part in [held.get("env"), *several] if is_environment(part)
    ]


def attributes_of(value: Any) -> dict[str, Any]:
    """Return the attributes that an object of a user's class holds now."""
    held = dict(getattr(value, "__dict__", {}))
    for name in slots_of(type(value)):
        if hasattr(value, name):
            held[name] = getattr(value, name)
    return held


def spaces_inside(space: Any) -> list[Any]:
    """Return the spaces that a space, such as a `Dict`, consists of."""
    import gymnasium

    found: list[Any] = []
    for part in vars(space).values():
        parts = part.values() if isinstance(part, dict) else part
        parts = parts if isinstance(part, (dict, list, tuple)) else [part]
        found += [p for p in parts if isinstance(p, gymnasium.Space)]
    return found


def cells_of(function: types.FunctionType) -> list[Any]:
    """Return what a function has closed over."""
    return [cell.cell_contents for cell in function.__closure__ or ()]


def objects_inside(environment: Any) -> dict[str, Any]:
    """Return one object of each user's class that an environment holds.

    Args:
        environment: `gymnasium.Env` or `gymnasium.vector.VectorEnv`.

    Returns:
        Objects by the full names of their classes; and settings, which are
        never made anew, by `setting_key`.
    """
    found: dict[str, Any] = {}
    seen: set[int] = set()
    to_see = [environment]
    while to_see:
        value = to_see.pop()
        if type(value) in PLAIN or id(value) in seen:
            continue
        if is_fixed(value):
            found.setdefault(setting_key(fixed_name(value)), value)
            continue
        seen.add(id(value))
        own = isinstance(value, enum.Enum) or is_named_tuple(value)
        if is_environment(value):
            to_see += vars(value).values()
        elif own or is_plain_object(value):
            found.setdefault(name_of(value), value)
        to_see += _parts(value)
    return found


def _parts(value: Any) -> list[Any]:
    if type(value) in COLLECTIONS or is_named_tuple(value):
        return list(value)
    if type(value) in DICTIONARIES:
        maker = getattr(value, "default_factory", None)
        return [*value, *value.values(), maker]
    if isinstance(value, types.FunctionType):
        try:
            return cells_of(value)
        except ValueError:  # A cell that is empty as yet.
            return []
    if isinstance(value, types.MethodType):
        return [value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, (enum.Enum, random.Random)):
        return []
    return list(attributes_of(value).values()) if is_plain_object(value) else []
