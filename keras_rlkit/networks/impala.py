"""The residual network of IMPALA."""

from typing import Any

import keras

from keras_rlkit.networks.building_blocks import (
    activated,
    flat_features,
    image_input,
)
from keras_rlkit.utils import check_positive_integer

FILTERS = (16, 32, 32)


def impala(
    input_shape: Any,
    width: int = 1,
    units: int | None = 256,
    activation: Any = "relu",
    layer_normalization: bool = False,
    input_dtype: str = "uint8",
    name: str | None = None,
) -> keras.Model:
    """Return the residual network of IMPALA: fifteen convolutions.

    Six times the multiplications of `nature` at width 1.

    Args:
        input_shape: Shape (height, width, channels) of an observation.
        width: Positive integer, how many times as many filters as in the
            paper. Defaults to 1.
        units: Positive integer, width of the dense layer, or `None` to end in
            the flattened images. Defaults to 256.
        activation: As for `keras.layers.Activation`. Defaults to `"relu"`.
        layer_normalization: Whether what each convolution within a residual
            block, and the dense layer, gets is normalised before the
            activation. Defaults to `False`.
        input_dtype: Dtype of observations. `"uint8"` is scaled to [0, 1], all
            else is taken as it is. Defaults to `"uint8"`.
        name: Name of the model. Defaults to `None`.

    Returns:
        `keras.Model` from observations [B, height, width, channels] to features
        [B, units].

    Raises:
        ValueError: If the shape doesn't have three axes, or `width` or `units`
            is no positive integer.

    Example:

    ```python
    network = keras.Sequential(
        [rlk.networks.impala((84, 84, 4), width=2), keras.layers.Dense(6)]
    )
    agent = rlk.models.DoubleDQN(network)
    ```

    Reference:
        Espeholt et al., IMPALA: Scalable Distributed Deep-RL with Importance
        Weighted Actor-Learner Architectures, figure 3,
        https://arxiv.org/abs/1802.01561
    """
    width = check_positive_integer("width", width)
    inputs, images = image_input(input_shape, input_dtype)
    for filters in FILTERS:
        images = _convolution(filters * width)(images)
        images = keras.layers.MaxPooling2D(3, strides=2, padding="same")(images)
        for _ in range(2):
            residual = images
            for _ in range(2):
                residual = activated(residual, activation, layer_normalization)
                residual = _convolution(filters * width)(residual)
            images = keras.layers.Add()([images, residual])
    images = activated(images, activation, False)
    features = flat_features(images, units, activation, layer_normalization)
    return keras.Model(inputs, features, name=name)


def _convolution(filters: int) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        filters, 3, padding="same", kernel_initializer="he_normal"
    )
