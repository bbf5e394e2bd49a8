"""The traps of observations that are images: scale and order of axes."""

from collections.abc import Iterator

import numpy as np

from keras_rlkit.environments.traps.finding import Finding

# Values above this are no image in 0..1, and none that was standardised.
LARGEST_SCALED = 10.0
# Axes of an image are at least this long, so that features aren't taken for it.
SMALLEST_IMAGE = 8


def is_image(shape: tuple[int, ...]) -> bool:
    """Return whether observations of a shape look like images.

    Args:
        shape: Shape of one observation.

    Returns:
        Whether it has three or four axes, two of which are long.
    """
    return len(shape) in (3, 4) and sorted(shape)[-2] >= SMALLEST_IMAGE


def unscaled(
    path: str, shape: tuple[int, ...], dtype: np.dtype, largest: float
) -> Iterator[Finding]:
    """Find float images in 0..255.

    Args:
        path: Where the array is in the observation; empty for the whole.
        shape: Shape of one array.
        dtype: Its dtype.
        largest: Largest value that was observed.

    Yields:
        At most one finding.
    """
    if (
        is_image(shape)
        and np.issubdtype(dtype, np.floating)
        and largest > LARGEST_SCALED
    ):
        yield Finding(
            "unscaled images",
            f"observations{path} are images of {dtype} with values up to "
            f"{largest:g}.",
            "keep images as uint8, which takes a quarter of the memory, and "
            "begin the network with `keras.layers.Rescaling(1 / 255)`; or "
            "divide them by 255 in the environment.",
        )


def channel_order(path: str, shape: tuple[int, ...]) -> Iterator[Finding]:
    """Find images whose channels, or stacked frames, come first.

    Args:
        path: Where the array is in the observation; empty for the whole.
        shape: Shape of one array.

    Yields:
        At most one finding.
    """
    if not is_image(shape):
        return
    image_axes = sorted(np.argsort(shape, kind="stable")[-2:])
    if image_axes[0] == 0 or shape[0] * 2 > shape[image_axes[0]]:
        return
    last = (*shape[1:], shape[0])
    yield Finding(
        "channel order",
        f"observations{path} of shape {shape} have channels or stacked frames "
        "first; Keras' layers and `frame_stack` of `ReplayBuffer` take the "
        "last axis.",
        "move the axis in the environment, `gymnasium.wrappers."
        "TransformObservation(environment, lambda x: np.moveaxis(x, 0, -1), "
        f"space)` with a space of shape {last}; for Atari use "
        "`keras_rlkit.environments.atari`, which gives them so.",
    )
