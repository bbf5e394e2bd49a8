"""What kinds of parts an environment consists of."""

import collections
import enum
import functools
import logging
import random
import sys
import threading
import types
import zlib
from typing import Any

import numpy as np

PLAIN = {type(None), bool, int, float, str}
COLLECTIONS = {tuple, list, set, collections.deque}
DICTIONARIES = {
    dict,
    collections.Counter,
    collections.OrderedDict,
    collections.defaultdict,
}
SPACES = (
    "observation_space",
    "action_space",
    "single_observation_space",
    "single_action_space",
)
# Locks and loggers stand for other parts' order and for output, not for where
# an episode stands.
SETTINGS = (
    type,
    types.ModuleType,
    np.ufunc,
    logging.Logger,
    type(threading.Lock()),
    type(threading.RLock()),
)
# A part of these, such as a network, is no part of an environment.
FOREIGN = (
    "jax",
    "keras",
    "keras_rlkit.callbacks",
    "keras_rlkit.models",
    "keras_rlkit.policies",
    "keras_rlkit.replay",
    "numpy",
    "tensorflow",
    "torch",
)


def name_of(value: Any) -> str:
    """Return the full name of an object's class."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def is_environment(value: Any) -> bool:
    """Return whether this is a single or a vector environment."""
    import gymnasium

    return isinstance(value, (gymnasium.Env, gymnasium.vector.VectorEnv))


def environments_inside(environment: Any) -> list[Any]:
    """Return what a wrapper wraps, or the environments of a vector."""
    held = vars(environment)
    several = held.get("envs")
    several = list(several) if type(several) in (list, tuple) else []
    return [
        part for part in [held.get("env"), *several] if is_environment(part)
    ]


def is_fixed(value: Any) -> bool:
    """Return whether this is a setting: it never changes by being used."""
    import gymnasium

    if isinstance(value, types.FunctionType):
        # What a function has closed over, it may change; wrappers don't.
        own = (value.__module__ or "").startswith("gymnasium.")
        return own or not value.__closure__
    if isinstance(value, types.BuiltinFunctionType):
        return isinstance(value.__self__, types.ModuleType)
    if isinstance(value, enum.Enum):
        return type(value).__module__.startswith("gymnasium.")
    return isinstance(value, (*SETTINGS, gymnasium.envs.registration.EnvSpec))


def fixed_name(value: Any) -> str:
    """Return the name by which two settings are known to be the same."""
    name = getattr(value, "__qualname__", None) or getattr(
        value, "__name__", ""
    )
    if not isinstance(value, types.FunctionType) or "<lambda>" not in name:
        return name
    # Several have the same name, as the stages in a list.
    code, defaults = value.__code__, value.__defaults__ or ()
    numbers = [n for n in (*code.co_consts, *defaults) if is_plain(n)]
    content = repr((code.co_code, code.co_names, numbers))
    return f"{name} {zlib.crc32(content.encode())}"


def setting_key(name: str) -> str:
    """Return the key of a setting where objects stand by their classes."""
    return f"setting {name}"


def is_plain(value: Any) -> bool:
    """Return whether this is a number or a string, or a tuple of such."""
    if type(value) is tuple:
        return all(map(is_plain, value))
    return type(value) in PLAIN


def is_named_tuple(value: Any) -> bool:
    """Return whether this is a tuple with named fields."""
    return isinstance(value, tuple) and hasattr(value, "_fields")


def is_plain_object(value: Any) -> bool:
    """Return whether all that an object holds is its attributes.

    Objects of classes that are written in C, or derive from such, hold more.
    """
    kind = type(value)
    if kind is object or any(map(_is_foreign, kind.__mro__[:-1])):
        return False
    pointers = len(_slots(kind))
    pointers += (kind.__dictoffset__ > 0) + (kind.__weakrefoffset__ > 0)
    pointer_size = np.dtype(np.intp).itemsize
    return (
        kind.__itemsize__ == 0
        and kind.__basicsize__ <= object.__basicsize__ + pointers * pointer_size
    )


def _is_foreign(kind: type) -> bool:
    module = f"{kind.__module__}."
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return top not in ("abc", "collections", "typing")
    return module.startswith(tuple(f"{name}." for name in FOREIGN))


def attributes_of(value: Any) -> dict[str, Any]:
    """Return the attributes that an object of a user's class holds now."""
    held = dict(getattr(value, "__dict__", {}))
    for name in _slots(type(value)):
        if hasattr(value, name):
            held[name] = getattr(value, name)
    return held


def _slots(kind: type) -> list[str]:
    # Private names are mangled in here already.
    return [
        name
        for base in kind.__mro__
        for name, part in vars(base).items()
        if isinstance(part, types.MemberDescriptorType)
    ]


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
