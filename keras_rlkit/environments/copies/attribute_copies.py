"""What an environment consists of, as numbers and arrays."""

import collections
import enum
import functools
import random
import types
from typing import Any

import numpy as np

from keras_rlkit.environments.copies.attribute_restorer import Restorer
from keras_rlkit.environments.copies.call_counts import CountedCall
from keras_rlkit.environments.copies.part_kinds import (
    DICTIONARIES,
    PLAIN,
    SPACES,
    fixed_name,
    is_environment,
    is_fixed,
    is_named_tuple,
    is_plain,
    is_plain_object,
    name_of,
    setting_key,
)
from keras_rlkit.environments.copies.parts_inside import (
    attributes_of,
    cells_of,
    environments_inside,
    objects_inside,
    spaces_inside,
)

# How an environment was made or is shown, not where its episode stands.
SETTINGS = {"env_fns", "metadata", "_metadata", "render_mode", "spec"}


class CannotCopyError(Exception):
    """An environment holds something other than numbers and arrays."""


def copy_attributes(environment: Any) -> dict[str, Any]:
    """Return all that an environment and its wrappers hold, as a state.

    Every attribute is followed, through wrappers and through the environments
    of a `SyncVectorEnv`. Numbers, strings, arrays, generators, collections of
    these and objects whose attributes are such parts are copied; an object
    that two attributes share is one object again later. Of spaces and
    functions, generators and what they have closed over are copied. Nothing
    is pickled.

    Args:
        environment: `gymnasium.Env` or `gymnasium.vector.VectorEnv`.

    Returns:
        A state as `replay.states.pack` takes it.

    Raises:
        CannotCopyError: If an attribute is something else, such as a physics
            engine, an emulator or another process.
    """
    state, left_out = copy_layers(environment)
    if left_out:
        raise CannotCopyError(left_out[0])
    return state


def copy_layers(
    environment: Any, known: Any = None
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return what can be copied, leaving out the layers that can't.

    A layer, a wrapper or the environment itself, is copied as a whole or not
    at all: half of one may point into the other half, as the number of a
    body points into a physics engine.

    Args:
        environment: `gymnasium.Env` or `gymnasium.vector.VectorEnv`.
        known: Keys of `objects_inside` of an environment that was just made;
            no other objects are copied. Defaults to any.

    Returns:
        The state, `None` if nothing can be copied; and for each layer that is
        left out, what in it can't be copied.
    """
    copier = _Copier(known)
    state = copier.copy(environment)
    return state if copier.has_copied else None, copier.left_out


def restore_attributes(environment: Any, state: dict[str, Any]) -> None:
    """Make an environment what another one was.

    Args:
        environment: Environment of the same making.
        state: What `copy_attributes` or `copy_layers` returned.

    Raises:
        ValueError: If the state is of another environment.
    """
    Restorer(objects_inside(environment)).restore(state, environment)


def copy_part(part: Any) -> dict[str, Any]:
    """Return one attribute as a state; raises as `copy_attributes`."""
    return _Copier().copy(part)


def restore_part(state: dict[str, Any], present: Any) -> Any:
    """Return the attribute of a state; `present` is one of its kind."""
    return Restorer({}).restore(state, present)


class _Copier:
    """Turns objects into nodes; one met again becomes a number."""

    def __init__(self, known: Any = None) -> None:
        self.left_out: list[str] = []
        self.has_copied = False
        self._known = known
        self._seen: dict[int, int] = {}
        self._memory: set[int] = set()

    def copy(self, value: Any) -> Any:
        if type(value) in PLAIN:
            return {"value": value}
        if isinstance(value, np.generic):
            return {"scalar": self._plain_array(np.asarray(value))}
        if type(value) is tuple:
            return {"tuple": [self.copy(item) for item in value]}
        if is_named_tuple(value):
            self._check_known(value)
            items = [self.copy(item) for item in value]
            return {"tuple": items, "class": name_of(value)}
        if is_fixed(value):
            return {"fixed": self._known_setting(value)}
        if isinstance(value, enum.Enum):
            self._check_known(value)
            return {"member": value.name, "class": name_of(value)}
        if id(value) in self._seen:
            return {"again": self._seen[id(value)]}
        self._seen[id(value)] = len(self._seen)
        return self._copy_changing(value)

    def _copy_changing(self, value: Any) -> dict[str, Any]:
        import gymnasium

        if type(value) is np.ndarray:
            self._check_memory(value)
            return {"array": self._plain_array(value)}
        if type(value) is list:
            return {"list": [self.copy(item) for item in value]}
        if type(value) is collections.deque:
            items = [self.copy(item) for item in value]
            return {"deque": items, "maxlen": value.maxlen}
        if type(value) in DICTIONARIES:
            node = {} if type(value) is dict else {"kind": name_of(value)}
            if type(value) is collections.defaultdict:
                node["maker"] = self.copy(value.default_factory)
            items = [[self.copy(k), self.copy(v)] for k, v in value.items()]
            return {**node, "dict": items}
        if type(value) is set:
            return {"set": self._items_of_set(value)}
        if isinstance(value, np.random.Generator):
            return {"generator": value.bit_generator.state}
        if type(value) is random.Random:
            return {"python": value.getstate()}
        if type(value) is np.random.RandomState:
            return {"legacy": value.get_state(legacy=False)}
        if is_environment(value):
            return self._copy_layer(value)
        if isinstance(value, gymnasium.Space):
            generator = self.copy(value._np_random)
            self.has_copied |= value._np_random is not None
            parts = [self.copy(part) for part in spaces_inside(value)]
            return {"space": name_of(value), "parts": [generator, *parts]}
        return self._copy_object(value)

    def _copy_layer(self, environment: Any) -> dict[str, Any]:
        inside = [self.copy(part) for part in environments_inside(environment)]
        node = {"environment": name_of(environment), "inside": inside}
        before = dict(self._seen), set(self._memory), self.has_copied
        try:
            node["attributes"] = self._copy_attributes(environment)
            self.has_copied = True
        except CannotCopyError as error:
            self._seen, self._memory, self.has_copied = before
            self.left_out.append(str(error))
        # Those of a class too, which many environments have.
        spaces = [getattr(environment, name, None) for name in SPACES]
        node["spaces"] = [self.copy(space) for space in spaces]
        return node

    def _copy_attributes(self, environment: Any) -> dict[str, Any]:
        attributes = {}
        for name, part in vars(environment).items():
            if name in SETTINGS or isinstance(part, CountedCall):
                continue
            try:
                attributes[name] = self.copy(part)
            except (CannotCopyError, RecursionError) as error:
                layer = type(environment).__name__
                raise CannotCopyError(f"{layer}.{name} ({error})") from None
        return attributes

    def _copy_object(self, value: Any) -> dict[str, Any]:
        if isinstance(value, types.FunctionType):
            try:
                cells = [self.copy(part) for part in cells_of(value)]
            except ValueError:  # A cell that is empty as yet.
                raise CannotCopyError(name_of(value)) from None
            return {"function": fixed_name(value), "parts": cells}
        if isinstance(value, types.MethodType):
            owner = [self.copy(value.__self__)]
            return {"method": value.__qualname__, "parts": owner}
        if type(value) is functools.partial:
            parts = [value.func, value.args, value.keywords]
            return {"partial": "", "parts": [self.copy(p) for p in parts]}
        if not is_plain_object(value):
            raise CannotCopyError(name_of(value))
        self._check_known(value)
        held = attributes_of(value).items()
        attributes = {name: self.copy(part) for name, part in held}
        return {"object": name_of(value), "attributes": attributes}

    def _items_of_set(self, value: set) -> list[dict[str, Any]]:
        items = list(value)
        if not all(map(is_plain, items)):
            raise CannotCopyError("set of objects")
        # In which order a set gives its items depends on how it grew, and a
        # game may use it: from here on it is as the restored one will be.
        value.clear()
        value.update(items)
        return [self.copy(item) for item in items]

    def _check_known(self, value: Any) -> None:
        # Loading makes objects of no other classes than those it finds.
        if self._known is not None and name_of(value) not in self._known:
            raise CannotCopyError(
                f"{name_of(value)}, of which a new environment has none"
            )

    def _known_setting(self, value: Any) -> str:
        name = fixed_name(value)
        known = self._known is None or setting_key(name) in self._known
        # Locks have no name: whichever stands there does.
        if name and not known:
            raise CannotCopyError(
                f"{name}, which a new environment doesn't hold"
            )
        return name

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
