"""The network of the first DQN paper."""

from typing import Any

import keras

from keras_rlkit.networks.building_blocks import convolutional

LAYERS = ((16, 8, 4), (32, 4, 2))


def small(
    input_shape: Any,
    units: int | None = 256,
    activation: Any = "relu",
    layer_normalization: bool = False,
    input_dtype: str = "uint8",
    name: str | None = None,
) -> keras.Model:
    """Return the network of the first DQN on Atari: two convolutions.

    A third of the multiplications of `nature`, for machines without a GPU.

    Args:
        input_shape: Shape (height, width, channels) of an observation.
        units: Positive integer, width of the dense layer, or `None` to end in
            the flattened images. Defaults to 256.
        activation: As for `keras.layers.Activation`. Defaults to `"relu"`.
        layer_normalization: Whether each layer's output is normalised over
            its last axis before the activation. Defaults to `False`.
        input_dtype: Dtype of observations. `"uint8"` is scaled to [0, 1], all
            else is taken as it is. Defaults to `"uint8"`.
        name: Name of the model. Defaults to `None`.

    Returns:
        `keras.Model` from observations [B, height, width, channels] to features
        [B, units].

    Raises:
        ValueError: If the shape doesn't have three axes, or `units` is no
            positive integer.

    Example:

    ```python
    network = keras.Sequential(
        [rlk.networks.small((84, 84, 4)), keras.layers.Dense(6)]
    )
    agent = rlk.models.DoubleDQN(network)
    ```

    Reference:
        Mnih et al., Playing Atari with Deep Reinforcement Learning, section
        4.1, https://arxiv.org/abs/1312.5602
    """
    return convolutional(
        input_shape,
        LAYERS,
        units,
        activation,
        layer_normalization,
        input_dtype,
        name,
    )
