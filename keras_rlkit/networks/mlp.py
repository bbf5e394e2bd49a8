"""Dense layers for observations that are vectors."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_rlkit.networks.building_blocks import activated
from keras_rlkit.utils import check_positive_integer


def mlp(
    input_shape: Any,
    units: Sequence[int] = (256, 256),
    activation: Any = "relu",
    layer_normalization: bool = False,
    name: str | None = None,
) -> keras.Model:
    """Return dense layers one after the other.

    Args:
        input_shape: Shape of an observation; several axes are flattened.
        units: Positive integers, widths of the layers. Defaults to
            `(256, 256)`.
        activation: As for `keras.layers.Activation`. Defaults to `"relu"`.
        layer_normalization: Whether each layer's output is normalised before
            the activation. Defaults to `False`.
        name: Name of the model. Defaults to `None`.

    Returns:
        `keras.Model` from observations [B, *input_shape] to features
        [B, units[-1]].

    Raises:
        ValueError: If `units` is empty or holds something else than positive
            integers.

    Example:

    ```python
    network = keras.Sequential(
        [rlk.networks.mlp((4,), units=(64, 64)), keras.layers.Dense(2)]
    )
    agent = rlk.models.DoubleDQN(network)
    ```
    """
    if not len(units):
        raise ValueError(
            "`units` must have the width of at least one layer. Received: "
            f"units={units}."
        )
    inputs = keras.Input(tuple(input_shape))
    features = inputs
    if len(inputs.shape) != 2:
        features = keras.layers.Flatten()(inputs)
    for width in units:
        features = keras.layers.Dense(
            check_positive_integer("units", width),
            kernel_initializer="he_normal",
        )(features)
        features = activated(features, activation, layer_normalization)
    return keras.Model(inputs, features, name=name)
