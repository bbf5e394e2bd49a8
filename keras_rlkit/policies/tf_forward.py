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
        and isinstance(observations, np.ndarray)
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

    def __call__(self, model: keras.Model, observations: np.ndarray) -> Any:
        """Return the model's output."""
        signature = observations.shape[1:], observations.dtype
        function = self._functions.get(signature)
        if function is None:
            function = self._functions[signature] = _trace(model, *signature)
        return function(self._to_tensor(observations))


def _trace(model: keras.Model, shape: tuple, dtype: np.dtype) -> Any:
    import tensorflow as tf

    reference = weakref.ref(model)

    @tf.autograph.experimental.do_not_convert
    def step(observations: Any) -> Any:
        return reference().predict_step((observations,))

    spec = tf.TensorSpec((None, *shape), dtype)
    compiled = tf.function(step, jit_compile=bool(model.jit_compile))
    return compiled.get_concrete_function(spec)
