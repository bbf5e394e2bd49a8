"""Configs of networks in which a layer that they share stays one layer.

Keras writes a layer down wherever it meets it, and so makes two of it. Here
each place has a number beside the layer's config, and what was made for a
number once is used at its other places too.
"""

import contextvars
import dataclasses
from collections.abc import Iterator
from typing import Any

import keras


@dataclasses.dataclass
class _Copies:
    """What has been made so far: layers by number, and whose place they hold.

    In a functional model a shared layer can't be put in at once: the model's
    config counts the calls of each layer from the first, and it has been called
    elsewhere. So a stand-in is made, and replaced in the finished model.
    """

    layers: dict[int, Any] = dataclasses.field(default_factory=dict)
    stand_ins: list[tuple[Any, Any]] = dataclasses.field(default_factory=list)

    def replace(self, layer: Any) -> Any:
        """Return what a layer stands for, or itself."""
        for stand_in, meant in self.stand_ins:
            if layer is stand_in:
                return meant
        return layer


_COPIES: contextvars.ContextVar = contextvars.ContextVar("copies")


class SharedLayer:
    """A place in a config whose layer has other places too, or holds such.

    Only `from_config` is ever used: it gives the layer itself.
    """

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return the layer of this place."""
        copies = _COPIES.get()
        known = copies.layers.get(config["number"])
        if known is not None and not config["in_graph"]:
            return known
        layer = keras.saving.deserialize_keras_object(config["layer"])
        if config["is_graph"]:
            layer = _replaced(layer, copies)
        if known is not None:
            copies.stand_ins.append((layer, known))
        elif config["number"] is not None:
            copies.layers[config["number"]] = layer
        return layer


def serialize_networks(
    networks: dict[str, keras.Model | None],
) -> dict[str, dict[str, Any] | None]:
    """Return the configs of networks, with what they share marked as such.

    Args:
        networks: Built Keras models by name; `None` stays `None`.

    Returns:
        Configs for `deserialize_networks`. Where no layer has two places they
        are those that Keras writes.
    """
    configs = {
        name: keras.saving.serialize_keras_object(network)
        for name, network in networks.items()
    }
    places = [
        place
        for name, network in networks.items()
        if network is not None
        for place in _places(network, configs[name], in_graph=False)
    ]
    numbers: dict[int, int] = {}
    ids = [id(layer) for layer, *_ in places]
    for layer, _, _, _ in places:
        if ids.count(id(layer)) > 1 and not isinstance(
            layer, keras.layers.InputLayer
        ):
            numbers.setdefault(id(layer), len(numbers))
    graphs = {
        id(parent)
        for layer, _, in_graph, parent in places
        if in_graph and id(layer) in numbers
    }
    for layer, config, in_graph, _ in places:
        number = numbers.get(id(layer))
        if number is not None or id(config) in graphs:
            _mark(config, number, in_graph, id(config) in graphs)
    return configs


def deserialize_networks(
    configs: dict[str, dict[str, Any] | None],
    custom_objects: dict[str, Any] | None = None,
) -> dict[str, keras.Model | None]:
    """Return networks that share what those did that were serialized.

    Args:
        configs: Configs from `serialize_networks`.
        custom_objects: As in `keras.saving.deserialize_keras_object`.

    Returns:
        Keras models by name.
    """
    custom_objects = {"SharedLayer": SharedLayer, **(custom_objects or {})}
    token = _COPIES.set(_Copies())
    try:
        return {
            name: keras.saving.deserialize_keras_object(
                config, custom_objects=custom_objects
            )
            for name, config in configs.items()
        }
    finally:
        _COPIES.reset(token)


def _places(
    layer: Any, config: dict[str, Any], in_graph: bool, parent: Any = None
) -> Iterator[tuple[Any, dict[str, Any], bool, Any]]:
    """Yield layers with their config, and the config that this lies in.

    Parts of a config are known by class and name, which layers directly below
    the same one don't have in common.
    """
    yield layer, config, in_graph, parent
    below = {
        (type(child).__name__, child.name): child
        for child in layer._flatten_layers(include_self=False, recursive=False)
    }
    is_graph = "input_layers" in config["config"]
    pending = [config["config"]]
    while pending:
        part = pending.pop()
        if isinstance(part, (list, tuple)):
            pending.extend(reversed(part))
        if not isinstance(part, dict):
            continue
        inner = part.get("config")
        if isinstance(inner, dict):
            child = below.get((part.get("class_name"), inner.get("name")))
            if child is not None:
                yield from _places(child, part, is_graph, config)
                continue
        pending.extend(reversed(part.values()))


def _mark(config, number, in_graph, is_graph):
    """Put a `SharedLayer` in the place of a layer's config."""
    layer = dict(config)
    # Keras' own mark, which it sets but at some of the places.
    layer.pop("shared_object_id", None)
    # Functional models keep their own notes beside the config of a layer.
    notes = {k: layer.pop(k) for k in ("name", "inbound_nodes") if k in layer}
    config.clear()
    config.update(
        {
            "module": SharedLayer.__module__,
            "class_name": "SharedLayer",
            "registered_name": "SharedLayer",
            "config": {
                "number": number,
                "in_graph": in_graph,
                "is_graph": is_graph,
                "layer": layer,
            },
            **notes,
        }
    )


def _replaced(model: keras.Model, copies: _Copies) -> keras.Model:
    """Return a functional model without stand-ins."""
    copy = keras.models.clone_model(model, clone_function=copies.replace)
    if not model.trainable:
        copy.trainable = False
    return copy
