"""What the networks are made of."""

from typing import Any

import keras

from keras_rlkit.utils import check_positive_integer


def image_input(input_shape: Any, input_dtype: str) -> tuple[Any, Any]:
    """Return the input of a network, and pixels from 0 to 1.

    Args:
        input_shape: Shape (height, width, channels) of an observation.
        input_dtype: `"uint8"` for pixels from 0 to 255; others are taken as
            they are.

    Raises:
        ValueError: If the shape doesn't have three axes.
    """
    shape = tuple(input_shape)
    if len(shape) != 3:
        raise ValueError(
            "`input_shape` must be (height, width, channels). Received: "
            f"input_shape={input_shape}."
        )
    inputs = keras.Input(shape, dtype=input_dtype)
    if input_dtype == "uint8":
        return inputs, keras.layers.Rescaling(1 / 255)(inputs)
    return inputs, inputs


def activated(inputs: Any, activation: Any, layer_normalization: bool) -> Any:
    """Return what a layer gives, normalised where that is asked for.

    Args:
        inputs: Output of a layer without activation.
        activation: As `keras.layers.Activation` takes it.
        layer_normalization: Whether `keras.layers.LayerNormalization` comes
            before the activation.
    """
    if layer_normalization:
        inputs = keras.layers.LayerNormalization()(inputs)
    return keras.layers.Activation(activation)(inputs)


def flat_features(
    images: Any, units: int | None, activation: Any, layer_normalization: bool
) -> Any:
    """Return images as features, behind a dense layer if there is one.

    Args:
        images: [B, height, width, channels].
        units: Width of the dense layer, or `None` for none.
        activation: As in `activated`.
        layer_normalization: As in `activated`.

    Raises:
        ValueError: If `units` is no positive integer.
    """
    features = keras.layers.Flatten()(images)
    if units is None:
        return features
    units = check_positive_integer("units", units)
    features = keras.layers.Dense(units, kernel_initializer="he_normal")(
        features
    )
    return activated(features, activation, layer_normalization)


def convolutional(
    input_shape: Any,
    layers: tuple[tuple[int, int, int], ...],
    units: int | None,
    activation: Any,
    layer_normalization: bool,
    input_dtype: str,
    name: str | None,
) -> keras.Model:
    """Return convolutions without padding and a dense layer, as a model.

    Args:
        input_shape: As in `image_input`.
        layers: Filters, size and stride of each convolution.
        units: As in `flat_features`.
        activation: As in `activated`.
        layer_normalization: As in `activated`.
        input_dtype: As in `image_input`.
        name: Name of the model, or `None`.
    """
    inputs, images = image_input(input_shape, input_dtype)
    for filters, size, stride in layers:
        images = keras.layers.Conv2D(
            filters, size, strides=stride, kernel_initializer="he_normal"
        )(images)
        images = activated(images, activation, layer_normalization)
    features = flat_features(images, units, activation, layer_normalization)
    return keras.Model(inputs, features, name=name)
