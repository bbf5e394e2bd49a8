"""Weights that follow those of a network, and its values with them."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


class TargetWeights(keras.layers.Layer):
    """A second set of a network's weights, beside the network itself.

    The network is called in a `keras.StatelessScope` in which they stand for
    its own, so any network has a target: nothing is made again from a config.
    They are float32 where the network's own are shorter, in whose 8 or 11 bits
    small steps are lost; for a call they are cast.

    A layer that draws in inference draws from its own generator, which goes on
    as in any call, so that no two calls see the same noise.

    Args:
        network: Built Keras model.
    """

    def __init__(self, network: keras.Model):
        super().__init__(name="target_weights", trainable=False)
        self._followers = [self._follow(online) for online in network.weights]
        self.built = True

    def _follow(self, online: keras.Variable) -> keras.Variable:
        own = self.add_weight(
            shape=online.shape,
            dtype=_long(online.dtype),
            initializer="zeros",
            trainable=False,
            autocast=False,
            name=f"target_{online.name}",
        )
        # By way of NumPy: on JAX the two would be one buffer.
        own.assign(np.array(keras.ops.convert_to_numpy(online)))
        return own

    @property
    def followers(self) -> list[keras.Variable]:
        """The target weights, in the order of the network's `weights`."""
        return list(self._followers)

    def update(
        self, network: keras.Model, move: Callable[[Any, Any], Any]
    ) -> None:
        """Move all of the target weights.

        Args:
            network: The network.
            move: Called with a target weight and the network's; returns the
                new target weight.
        """
        for own, online in zip(self._followers, network.weights, strict=True):
            # A whole copy would be the network's own array, which JAX donates.
            own.assign(keras.ops.copy(move(own, online)))

    def call_network(self, network: keras.Model, inputs: Any) -> Any:
        """Return what the network gives with the target weights.

        Args:
            network: The network.
            inputs: Its inputs.
        """
        weights = {id(weight) for weight in network.weights}
        states = [v for v in network.variables if id(v) not in weights]
        # Whatever is frozen since, weights don't change their order.
        pairs = zip(network.weights, self._followers, strict=True)
        mapping = [
            *(
                (online, keras.ops.cast(own, online.dtype))
                for online, own in pairs
            ),
            *((state, state.value) for state in states),
        ]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            outputs = network(inputs, training=False)
        for state in states:
            state.assign(scope.get_current_value(state))
        return outputs


def _long(dtype: str) -> str:
    return "float32" if dtype in ("bfloat16", "float16") else dtype
