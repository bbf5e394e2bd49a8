"""What networks take and give, subclassed ones included."""

from typing import Any

import keras


def input_shape_of(network: keras.Model) -> Any:
    """Return the shape of a network's inputs, batch first, or `None`.

    Args:
        network: Built Keras model. A subclassed one knows what it was built
            on.
    """
    shape = getattr(network, "input_shape", None)
    if shape is None:
        shape = (network.get_build_config() or {}).get("input_shape")
        if isinstance(shape, (tuple, list)):
            shape = (None, *shape[1:])
    return shape


def output_shape_of(network: keras.Model) -> Any:
    """Return the shape of a network's outputs, batch first, or `None`.

    Args:
        network: Built Keras model. A subclassed one is traced for it.
    """
    shape = getattr(network, "output_shape", None)
    if shape is not None:
        return shape
    takes = input_shape_of(network)
    if takes is None:
        return None
    inputs = keras.KerasTensor(takes, network.input_dtype)
    return keras.tree.map_structure(
        lambda output: tuple(output.shape),
        network.compute_output_spec(inputs),
    )
