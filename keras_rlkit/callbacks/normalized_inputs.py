"""Which part of an observation a normalising layer sees."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.layers import RunningNormalization


def input_of(layer: RunningNormalization, observations: Any) -> np.ndarray:
    """Return the array of observations that a layer normalises.

    Args:
        layer: Layer of a model that takes observations.
        observations: An array, or a nest of arrays.

    Raises:
        ValueError: If not exactly one array of a nest has the layer's shape,
            and the layer's name ends with the key of none of these.
    """
    if not isinstance(observations, (dict, tuple, list)):
        return observations
    shape = tuple(layer.mean.shape)
    fits = [
        (path[-1], array)
        for path, array in keras.tree.flatten_with_path(observations)
        if array.shape[1:] == shape
    ]
    # An input of the same name may take the key alone.
    named = [array for key, array in fits if layer.name.endswith(f"_{key}")]
    arrays = [array for _, array in fits]
    for found in (arrays, named):
        if len(found) == 1:
            return found[0]
    raise ValueError(
        "`RunningNormalization` must have the shape of one array of the "
        "observation, or a name that ends with the key of one of them. "
        f"Received: a layer named {layer.name!r} of shape {shape}, and "
        f"{len(arrays)} arrays of that shape. Use "
        '`RunningNormalization(name=f"normal_{key}")`.'
    )
