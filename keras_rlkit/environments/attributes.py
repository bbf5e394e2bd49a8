"""What an environment consists of, as numbers and arrays."""

import collections
import enum
import types
from typing import Any

import numpy as np

PLAIN = {type(None), bool, int, float, str}
# How an environment was made or is shown, not where its episode stands.
SETTINGS = {"env_fns", "metadata", "_metadata", "render_mode", "spec"}
# Stands for a part that never changes and isn't copied: a space, a function.
FIXED = {"fixed": True}


class CannotCopyError(Exception):
    """An environment holds something other than numbers and arrays."""


def copy_attributes(environment: Any) -> dict[str, Any]:
    """Return all that an environment and its wrappers hold, as a state.

    Every attribute is followed, through wrappers and through the environments
    of a `SyncVectorEnv`. Numbers, strings, arrays, generators and collections
    of these are copied; an object that two attributes share is one object
    again later. Nothing is pickled.

    Args:
        environment: `gymnasium.Env` or `gymnasium.vector.VectorEnv`.

    Returns:
        A state as `replay.states.pack` takes it.

    Raises:
        CannotCopyError: If an attribute is something else, such as a physics
            engine, an emulator or another process.
    """
    return _Copier().copy(environment)


def restore_attributes(environment: Any, state: dict[str, Any]) -> None:
    """Make an environment what another one was.

    Args:
        environment: Environment of the same making.
        state: What `copy_attributes` returned.

    Raises:
        ValueError: If the state is of another environment.
    """
    _Restorer().restore(state, environment)


class _Copier:
    """Turns objects into nodes; one met again becomes a number."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._memory: set[int] = set()

    def copy(self, value: Any) -> Any:
        if type(value) in PLAIN:
            return {"value": value}
        if isinstance(value, np.generic):
            return {"scalar": self._plain_array(np.asarray(value))}
        if type(value) is tuple:
            return {"tuple": [self.copy(item) for item in value]}
        if _is_fixed(value):
            return FIXED
        if id(value) in self._seen:
            return {"again": self._seen[id(value)]}
        self._seen[id(value)] = len(self._seen)
        return self._copy_changing(value)

    def _copy_changing(self, value: Any) -> dict[str, Any]:
        if type(value) is np.ndarray:
            self._check_memory(value)
            return {"array": self._plain_array(value)}
        if type(value) is list:
            return {"list": [self.copy(item) for item in value]}
        if type(value) is collections.deque:
            items = [self.copy(item) for item in value]
            return {"deque": items, "maxlen": value.maxlen}
        if type(value) is dict:
            items = [[self.copy(k), self.copy(v)] for k, v in value.items()]
            return {"dict": items}
        if isinstance(value, np.random.Generator):
            return {"generator": value.bit_generator.state}
        if _is_environment(value):
            attributes = {
                name: self.copy(part)
                for name, part in vars(value).items()
                if name not in SETTINGS
            }
            return {"environment": _name(value), "attributes": attributes}
        raise CannotCopyError(_name(value))

    def _plain_array(self, array: np.ndarray) -> np.ndarray:
        if array.dtype.kind not in "biufcSU":
            raise CannotCopyError(f"array of dtype {array.dtype}")
        return array.copy()

    def _check_memory(self, array: np.ndarray) -> None:
        # Two arrays that share memory would not share it afterwards.
        while isinstance(array.base, np.ndarray):
            array = array.base
        if id(array) in self._memory:
            raise CannotCopyError("arrays that share memory")
        self._memory.add(id(array))


class _Restorer:
    """Makes objects of nodes, in the order in which they were copied."""

    def __init__(self) -> None:
        self._made: list[Any] = []

    def restore(self, node: dict[str, Any], present: Any) -> Any:
        """Return the object of a node; `present` is what stands there now."""
        if "fixed" in node:
            return present
        if "value" in node:
            return node["value"]
        if "scalar" in node:
            return np.asarray(node["scalar"])[()]
        if "tuple" in node:
            return tuple(self._items(node["tuple"], present))
        if "again" in node:
            return self._made[node["again"]]
        number = len(self._made)
        self._made.append(present)
        if "environment" in node:
            self._restore_environment(node, present)
            return present
        self._made[number] = self._make_changing(node, present, number)
        return self._made[number]

    def _make_changing(self, node: dict, present: Any, number: int) -> Any:
        if "array" in node:
            return np.array(node["array"])
        if "generator" in node:
            return _make_generator(node["generator"])
        # A collection is known before its items, which may hold it.
        if "list" in node:
            made = self._made[number] = []
            made += self._items(node["list"], present)
        elif "deque" in node:
            made = collections.deque(maxlen=node["maxlen"])
            self._made[number] = made
            made.extend(self._items(node["deque"], present))
        else:
            made = self._made[number] = {}
            present = present if isinstance(present, dict) else {}
            for key_node, item in node["dict"]:
                key = self.restore(key_node, None)
                made[key] = self.restore(item, present.get(key))
        return made

    def _restore_environment(self, node: dict, present: Any) -> None:
        if node["environment"] != _name(present):
            raise ValueError(
                "The state must be of an environment that was made in the "
                f"same way. Received: a state of {node['environment']} for "
                f"{_name(present)}."
            )
        attributes = vars(present)
        for name, part in node["attributes"].items():
            attributes[name] = self.restore(part, attributes.get(name))

    def _items(self, nodes: list[dict], present: Any) -> list[Any]:
        known = isinstance(present, (list, tuple, collections.deque))
        present = list(present) if known else []
        present += [None] * (len(nodes) - len(present))
        return [
            self.restore(node, item)
            for node, item in zip(nodes, present, strict=False)
        ]


def _make_generator(state: dict[str, Any]) -> np.random.Generator:
    bit_generator = getattr(np.random, state["bit_generator"], None)
    if not isinstance(bit_generator, type) or not issubclass(
        bit_generator, np.random.BitGenerator
    ):
        raise ValueError(
            "The state must name one of NumPy's bit generators. "
            f"Received: {state['bit_generator']!r}."
        )
    generator = np.random.Generator(bit_generator())
    generator.bit_generator.state = state
    return generator


def _is_environment(value: Any) -> bool:
    import gymnasium

    return isinstance(value, (gymnasium.Env, gymnasium.vector.VectorEnv))


def _is_fixed(value: Any) -> bool:
    import gymnasium

    if isinstance(value, types.FunctionType):
        # What a function has closed over, it may change; wrappers don't.
        own = value.__module__.startswith("gymnasium.")
        return own or not value.__closure__
    module = type(value).__module__
    if isinstance(value, enum.Enum):
        return module.startswith("gymnasium.")
    kinds = (
        type,
        types.ModuleType,
        gymnasium.Space,
        gymnasium.envs.registration.EnvSpec,
    )
    return isinstance(value, kinds)


def _name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
