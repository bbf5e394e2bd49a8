"""All variables of a model in training, as arrays."""

from typing import Any

import keras
import numpy as np


def get_model_state(model: keras.Model) -> dict[str, Any]:
    """Return what `set_model_state` needs.

    Args:
        model: Compiled Keras model.

    Returns:
        Dictionary of lists of arrays: weights and seed generators of the model
        and of its layers, in their order, and the optimizer's variables.
    """
    return {
        name: [to_plain_array(variable) for variable in variables]
        for name, variables in _variables(model).items()
    }


def set_model_state(model: keras.Model, state: dict[str, Any]) -> None:
    """Set a model and its optimizer to what `get_model_state` returned.

    Args:
        model: Compiled Keras model, whose layers are built.
        state: The state.

    Raises:
        ValueError: If the variables have other shapes or dtypes.
    """
    variables = _variables(model)
    for name, listed in variables.items():
        expected = [_layout(to_plain_array(variable)) for variable in listed]
        received = [_layout(array) for array in state[name]]
        if expected != received:
            raise ValueError(
                f"The {name} must have the variables {expected}. "
                f"Received: a state with {received}."
            )
    for name, listed in variables.items():
        for variable, array in zip(listed, state[name], strict=True):
            like = keras.ops.convert_to_numpy(variable)
            variable.assign(np.array(array).view(like.dtype))


def _variables(model: keras.Model) -> dict[str, list[keras.Variable]]:
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    return {"model": model.variables, "optimizer": optimizer.variables}


def to_plain_array(variable: keras.Variable | np.ndarray) -> np.ndarray:
    """Return a variable's value in a dtype of NumPy's own, bit for bit.

    Args:
        variable: Keras variable, or an array.

    Returns:
        An array, to be seen through `view(dtype)` as what it was.
    """
    array = np.asarray(keras.ops.convert_to_numpy(variable))
    # bfloat16 is no dtype of NumPy's own.
    own = array.dtype.kind in "biufc"
    return array if own else array.view(f"u{array.dtype.itemsize}")


def _layout(array: np.ndarray) -> tuple[tuple[int, ...], str]:
    return tuple(array.shape), array.dtype.str
