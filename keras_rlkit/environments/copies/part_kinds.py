"""What kind of part of an environment an object is."""

import collections
import enum
import logging
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
    pointers = len(slots_of(kind))
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


def slots_of(kind: type) -> list[str]:
    """Return the names in `__slots__` of a class and its bases."""
    # Private names are mangled in here already.
    return [
        name
        for base in kind.__mro__
        for name, part in vars(base).items()
        if isinstance(part, types.MemberDescriptorType)
    ]
