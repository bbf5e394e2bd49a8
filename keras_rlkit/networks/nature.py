"""The network of the Nature paper."""

from typing import Any

import keras

from keras_rlkit.networks.building_blocks import convolutional

LAYERS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))


def nature(
    input_shape: Any,
    units: int | None = 512,
    activation: Any = "relu",
    layer_normalization: bool = False,
    input_dtype: str = "uint8",
    name: str | None = None,
) -> keras.Model:
    """Return the network of DQN on Atari: three convolutions, one dense layer.

    It ends in features: a head goes on top. A head with hidden layers of its
    own, such as `DuelingHead`, takes `units=None`.

    Args:
        input_shape: Shape (height, width, channels) of an observation.
        units: Positive integer, width of the dense layer, or `None` to end in
            the flattened images. Defaults to 512.
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
    network = keras.Sequential([
        rlk.networks.nature((84, 84, 4), units=None),
        rlk.layers.DuelingHead(6, units=512),
    ])
    agent = rlk.models.DoubleDQN(network)
    ```

    Reference:
        Mnih et al., Human-level control through deep reinforcement learning,
        Methods, https://doi.org/10.1038/nature14236
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
