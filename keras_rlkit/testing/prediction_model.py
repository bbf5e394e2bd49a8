"""A small model whose output losses and metrics look at."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def make_prediction_model(
    predictions: np.ndarray,
    last_layer: Callable[[], keras.layers.Layer] | None,
    trains: bool = True,
) -> keras.Model:
    """Return a model that takes raw predictions.

    Args:
        predictions: Array [B, ...].
        last_layer: Makes the layer that turns raw predictions into what is
            looked at, such as a softmax, or `None`.
        trains: Whether a `Dense` layer comes first.
    """
    size = predictions.shape[-1]
    layers = [keras.Input(predictions.shape[1:])]
    layers += [keras.layers.Dense(size, name="before")] if trains else []
    layers += [last_layer() if last_layer else keras.layers.Identity()]
    return keras.Sequential(layers)


def predict(
    predictions: np.ndarray,
    last_layer: Callable[[], keras.layers.Layer] | None,
) -> Any:
    """Return what a loss or a metric is given for raw predictions."""
    values = keras.ops.convert_to_tensor(predictions, "float32")
    return last_layer()(values) if last_layer else values
