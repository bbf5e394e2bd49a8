"""What networks take and give, subclassed ones included."""

from typing import Any

import keras


def input_shape_of(network: keras.Model) -> Any:
    """Return the shape of a network's inputs, batch first, or `None`.

    Keras' own `input_shape` is a list where inputs are a dictionary.

    Args:
        network: Built Keras model. A subclassed one of one input knows what it
            was built on.
    """
    if _is_functional(network):
        return _shapes(network.input)
    shape = getattr(network, "input_shape", None)
    if shape is not None:
        return shape
    shape = (network.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, (tuple, list)) or not shape:
        return None
    sizes = shape[1:]
    if not all(size is None or isinstance(size, int) for size in sizes):
        return None
    return (None, *sizes)


def output_shape_of(network: keras.Model) -> Any:
    """Return the shape of a network's outputs, batch first, or `None`.

    Args:
        network: Built Keras model. A subclassed one is traced for it.
    """
    if _is_functional(network):
        return _shapes(network.output)
    shape = getattr(network, "output_shape", None)
    if shape is not None:
        return shape
    takes = input_shape_of(network)
    if takes is None:
        return None
    inputs = keras.KerasTensor(takes, network.input_dtype)
    try:
        outputs = network.compute_output_spec(inputs)
    # What a `call` that can't be traced raises has no end.
    except Exception:
        return None
    return _shapes(outputs)


def _is_functional(network: keras.Model) -> bool:
    sequential = isinstance(network, keras.Sequential)
    return not sequential and bool(getattr(network, "inputs", None))


def _shapes(tensors: Any) -> Any:
    """Return the shapes of a nest of tensors; of a list of one, its own."""
    if isinstance(tensors, (list, tuple)) and len(tensors) == 1:
        tensors = tensors[0]
    return keras.tree.map_structure(lambda part: tuple(part.shape), tensors)
