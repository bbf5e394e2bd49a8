"""A model's forward pass on TensorFlow, compiled."""

import weakref
from typing import Any

import keras
import numpy as np


def can_compile(model: keras.Model, observations: Any) -> bool:
    """Say whether `Forward` does what Keras' own function would."""
    import tensorflow as tf

    return (
        not model.run_eagerly
        and all(
            isinstance(leaf, np.ndarray)
            for leaf in keras.tree.flatten(observations)
        )
        and not tf.distribute.has_strategy()
        and model.distribute_strategy is tf.distribute.get_strategy()
    )


class Forward:
    """Functions of one signature each.

    Keras' own function asks at each call which of its traces fits: that takes
    longer than running it.

    Args:
        model: The model. It isn't kept alive.
    """

    def __init__(self, model: keras.Model):
        import tensorflow as tf

        self._to_tensor = tf.constant
        self._functions: dict[tuple, Any] = {}

    def __call__(self, model: keras.Model, observations: Any) -> Any:
        """Return the model's output."""
        if isinstance(observations, np.ndarray):
            signature: Any = observations.shape[1:], observations.dtype
            tensors = self._to_tensor(observations)
        else:
            signature = tuple(
                (path, leaf.shape[1:], leaf.dtype)
                for path, leaf in keras.tree.flatten_with_path(observations)
            )
            tensors = keras.tree.map_structure(self._to_tensor, observations)
        function = self._functions.get(signature)
        if function is None:
            function = _trace(model, observations)
            self._functions[signature] = function
        return function(tensors)


def _trace(model: keras.Model, like: Any) -> Any:
    import tensorflow as tf

    reference = weakref.ref(model)

    @tf.autograph.experimental.do_not_convert
    def step(observations: Any) -> Any:
        return reference().predict_step((observations,))

    spec = keras.tree.map_structure(
        lambda leaf: tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype), like
    )
    compiled = tf.function(step, jit_compile=bool(model.jit_compile))
    return compiled.get_concrete_function(spec)
