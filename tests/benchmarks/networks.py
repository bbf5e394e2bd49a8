"""The networks that are measured, in Keras."""

import keras

import keras_rlkit as rlk

layers = keras.layers


def nature(num_actions: int = 6) -> keras.Model:
    """Return the network of Mnih et al. 2015."""
    return keras.Sequential(
        [
            keras.Input((84, 84, 4), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 8, strides=4, activation="relu"),
            layers.Conv2D(64, 4, strides=2, activation="relu"),
            layers.Conv2D(64, 3, strides=1, activation="relu"),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(num_actions, dtype="float32"),
        ]
    )


def dueling(
    image_size: tuple[int, int] = (84, 84),
    num_actions: int = 6,
    pixels: bool = True,
) -> keras.Model:
    """Return the dueling network of the Space Invaders recipe.

    Args:
        image_size: Height and width.
        num_actions: Number of actions.
        pixels: Whether it takes bytes, or else floats in [0, 1].
    """
    scale = [layers.Rescaling(1 / 255)] if pixels else []
    return keras.Sequential(
        [
            keras.Input((*image_size, 4), dtype="uint8" if pixels else None),
            *scale,
            layers.Conv2D(16, 8, strides=4, activation="relu"),
            layers.Conv2D(32, 4, strides=2, activation="relu"),
            layers.Flatten(),
            rlk.layers.DuelingHead(num_actions, units=256),
        ]
    )


def dense(units: tuple[int, ...], num_actions: int = 2) -> keras.Model:
    """Return a network of dense layers for CartPole."""
    return keras.Sequential(
        [
            keras.Input((4,)),
            *(layers.Dense(size, activation="relu") for size in units),
            layers.Dense(num_actions, dtype="float32"),
        ]
    )
