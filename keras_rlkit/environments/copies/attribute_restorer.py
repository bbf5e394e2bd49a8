"""Makes an environment's parts again from what `attribute_copies` took."""

import collections
import random
import types
from typing import Any

import numpy as np

from keras_rlkit.environments.copies.part_kinds import (
    DICTIONARIES,
    SPACES,
    fixed_name,
    name_of,
    setting_key,
)
from keras_rlkit.environments.copies.parts_inside import (
    attributes_of,
    cells_of,
    environments_inside,
    spaces_inside,
)


class Restorer:
    """Makes objects of nodes, in the order in which they were copied.

    Args:
        examples: An object of each class that the environment has objects of.
    """

    def __init__(self, examples: dict[str, Any]) -> None:
        self._examples = examples
        self._made: list[Any] = []
        self._taken: set[int] = set()

    def restore(self, node: dict[str, Any], present: Any) -> Any:
        """Return the object of a node; `present` is what stands there now."""
        if "fixed" in node:
            return self._find_setting(node["fixed"], present)
        if "value" in node:
            return node["value"]
        if "scalar" in node:
            return np.asarray(node["scalar"])[()]
        if "tuple" in node:
            items = tuple(self._items(node["tuple"], present))
            if "class" not in node:
                return items
            return tuple.__new__(type(self._example(node["class"])), items)
        if "member" in node:
            members = type(self._example(node["class"])).__members__
            return members[node["member"]]
        if "again" in node:
            return self._made[node["again"]]
        number = len(self._made)
        self._made.append(present)
        if "environment" in node:
            self._restore_layer(node, present)
        elif "parts" in node and "method" not in node:
            self._restore_parts(node, present)
        else:
            self._made[number] = self._make_changing(node, present, number)
        return self._made[number]

    def _make_changing(self, node: dict, present: Any, number: int) -> Any:
        if "array" in node:
            return np.array(node["array"])
        if "generator" in node:
            return _make_generator(node["generator"])
        if "python" in node:
            made = (
                present if type(present) is random.Random else random.Random()
            )
            version, words, gauss = node["python"]
            made.setstate((version, tuple(words), gauss))
            return made
        if "legacy" in node:
            known = type(present) is np.random.RandomState
            made = present if known else np.random.RandomState()
            made.set_state(node["legacy"])
            return made
        if "method" in node:
            return self._bind_method(node, present)
        if "object" in node:
            return self._restore_object(node, present, number)
        # A collection is known before its items, which may hold it.
        if "list" in node:
            made = self._made[number] = []
            made += self._items(node["list"], present)
        elif "deque" in node:
            made = collections.deque(maxlen=node["maxlen"])
            self._made[number] = made
            made.extend(self._items(node["deque"], present))
        elif "set" in node:
            made = self._made[number] = set()
            made.update(self._items(node["set"], None))
        else:
            present = present if isinstance(present, dict) else {}
            made = self._made[number] = self._make_dictionary(node, present)
            for key_node, item in node["dict"]:
                key = self.restore(key_node, None)
                made[key] = self.restore(item, present.get(key))
        return made

    def _find_setting(self, name: str, present: Any) -> Any:
        if name != fixed_name(present):
            # The environment has chosen another one of those it has.
            present = self._examples.get(setting_key(name), present)
            _check_same(name, fixed_name(present))
        return present

    def _bind_method(self, node: dict, present: Any) -> Any:
        owner = getattr(present, "__self__", None)
        owner = self._items(node["parts"], [owner])[0]
        if getattr(present, "__qualname__", "") == node["method"]:
            return types.MethodType(present.__func__, owner)
        kind = owner if isinstance(owner, type) else type(owner)
        function = getattr(kind, node["method"].rpartition(".")[2], None)
        _check_same(node["method"], getattr(function, "__qualname__", ""))
        return function if kind is owner else function.__get__(owner)

    def _make_dictionary(self, node: dict, present: dict) -> dict:
        kinds = {name_of(kind()): kind for kind in DICTIONARIES}
        made = kinds[node["kind"]]() if "kind" in node else {}
        if "maker" in node:
            maker = getattr(present, "default_factory", None)
            made.default_factory = self.restore(node["maker"], maker)
        return made

    def _restore_layer(self, node: dict, present: Any) -> None:
        _check_same(node["environment"], name_of(present))
        self._items(node["inside"], environments_inside(present))
        attributes = vars(present)
        for name, part in node.get("attributes", {}).items():
            attributes[name] = self.restore(part, attributes.get(name))
        spaces = [getattr(present, name, None) for name in SPACES]
        self._items(node["spaces"], spaces)

    def _restore_parts(self, node: dict, present: Any) -> None:
        """Restore what a space or a function holds, in its place."""
        if "space" in node:
            _check_same(node["space"], name_of(present))
            held = [present._np_random, *spaces_inside(present)]
            present._np_random = self._items(node["parts"], held)[0]
        elif "function" in node:
            _check_same(node["function"], fixed_name(present))
            parts = self._items(node["parts"], cells_of(present))
            for cell, part in zip(present.__closure__, parts, strict=True):
                cell.cell_contents = part
        else:
            _check_same("functools.partial", name_of(present))
            held = [present.func, present.args, present.keywords]
            parts = self._items(node["parts"], held)
            present.__setstate__((*parts, None))

    def _restore_object(self, node: dict, present: Any, number: int) -> Any:
        source = made = present
        # What stands here now may have been elsewhere in the copied one.
        if name_of(present) != node["object"] or id(present) in self._taken:
            source = self._example(node["object"])
            made = object.__new__(type(source))
        self._made[number] = made
        self._taken.add(id(made))
        held = attributes_of(source)
        getattr(made, "__dict__", {}).clear()
        for name, part in node["attributes"].items():
            object.__setattr__(made, name, self.restore(part, held.get(name)))
        return made

    def _example(self, name: str) -> Any:
        if name not in self._examples:
            raise ValueError(
                "The state must be of an environment that was made in the "
                f"same way. Received: a state with an object of {name}, where "
                "there is none now."
            )
        return self._examples[name]

    def _items(self, nodes: list[dict], present: Any) -> list[Any]:
        known = isinstance(present, (list, tuple, collections.deque))
        present = list(present) if known else []
        present += [None] * (len(nodes) - len(present))
        return [
            self.restore(node, item)
            for node, item in zip(nodes, present, strict=False)
        ]


def _check_same(saved: str, present: str) -> None:
    if saved != present:
        raise ValueError(
            "The state must be of an environment that was made in the "
            f"same way. Received: a state of {saved} for {present}."
        )


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
