"""Networks over sequences, whose recurrent layers begin with a given state."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras


class RecurrentNetworks:
    """Reads and sets the state of the recurrent layers of some networks.

    Keras' recurrent layers begin each call with zeros. Here they begin with
    what a call before has ended with, and networks stay as they are.

    Args:
        networks: Keras models over sequences, [B, T, ...] to [B, T, ...].

    Attributes:
        state_shape: Shape of each array of the state of one sequence, a tuple
            of tuples.

    Raises:
        ValueError: If no layer is recurrent, or one has no state that can be
            carried on.
    """

    def __init__(self, networks: Sequence[keras.Model]):
        layers = {
            id(layer): layer
            for network in networks
            for layer in network._flatten_layers()
            if isinstance(layer, keras.layers.RNN)
        }
        self._layers = list(layers.values())
        if not self._layers:
            raise ValueError(
                "A network that gives sequences, [B, T, ...], must have a "
                "recurrent layer. Received: none in "
                f"{[network.name for network in networks]}. For single "
                "observations give [B, ...], as `keras.layers.Flatten` does."
            )
        for layer in self._layers:
            _check_layer(layer)
        self._sizes = [_sizes_of(layer) for layer in self._layers]
        self.state_shape = tuple(
            (size,) for sizes in self._sizes for size in sizes
        )

    @contextlib.contextmanager
    def begin_with(
        self, state: Sequence[Any], mask: Any = None
    ) -> Iterator[list[Any]]:
        """Let recurrent layers begin with a state, as long as this lasts.

        Args:
            state: Arrays [B, units], as many as `state_shape` has.
            mask: Booleans [B, T], steps that are there: others leave the state
                as it is. `None` for all. Defaults to `None`.

        Yields:
            A list that holds the state in which the layers have ended, in
            float32, once the networks were called.
        """
        ended: list[Any] = [None] * len(self.state_shape)
        first = 0
        with contextlib.ExitStack() as patches:
            for layer, sizes in zip(self._layers, self._sizes, strict=True):
                places = range(first, first + len(sizes))
                own = [state[place] for place in places]
                patches.enter_context(_patched(layer, own, mask, ended, places))
                first += len(sizes)
            yield ended


@contextlib.contextmanager
def _patched(
    layer: keras.layers.RNN,
    state: list[Any],
    steps_there: Any,
    ended: list[Any],
    places: range,
) -> Iterator[None]:
    original: Callable = layer.call
    # Several cells in one layer have a nest of states.
    begun = keras.tree.pack_sequence_as(_nest_of(layer), state)

    def call(
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        settings = {"return_state": True}
        if steps_there is not None:
            mask = steps_there
            # cuDNN takes masks only where the end of a sequence is missing.
            settings["use_cudnn"] = False
        with _set(layer, settings):
            output, *new = original(
                sequences, initial_state=begun, mask=mask, training=training
            )
        new = keras.tree.flatten(new)
        for place, part in zip(places, new, strict=True):
            ended[place] = keras.ops.cast(part, "float32")
        return (output, *new) if layer.return_state else output

    # On the instance: `__call__` of Keras' layers asks it for `call`.
    vars(layer)["call"] = call
    try:
        yield
    finally:
        del vars(layer)["call"]


@contextlib.contextmanager
def _set(layer: keras.layers.RNN, settings: dict[str, Any]) -> Iterator[None]:
    """Change attributes that a layer has, for a while."""
    before = {
        name: vars(layer)[name] for name in settings if name in vars(layer)
    }
    vars(layer).update({name: settings[name] for name in before})
    try:
        yield
    finally:
        vars(layer).update(before)


def _check_layer(layer: keras.layers.RNN) -> None:
    sizes = keras.tree.flatten(layer.state_size)
    vectors = all(isinstance(size, int) for size in sizes)
    vectors = vectors and not hasattr(layer, "padding")
    if layer.go_backwards or layer.stateful or not vectors:
        raise ValueError(
            "A recurrent layer must go forwards, keep no state of its own and "
            "have states that are vectors, to be carried from step to step. "
            f"Received: {type(layer).__name__} {layer.name!r} with "
            f"go_backwards={layer.go_backwards}, stateful={layer.stateful}. "
            "Take `keras.layers.LSTM(units, return_sequences=True)`."
        )


def _sizes_of(layer: keras.layers.RNN) -> list[int]:
    return keras.tree.flatten(layer.state_size)


def _nest_of(layer: keras.layers.RNN) -> list:
    def plain(sizes: Any) -> Any:
        # Keras' own lists, which track what is in them, are no nests.
        if isinstance(sizes, (list, tuple)):
            return [plain(size) for size in sizes]
        return sizes

    nest = plain(layer.state_size)
    return nest if isinstance(nest, list) else [nest]
