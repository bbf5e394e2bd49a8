"""Whether two results are the same, whatever they are made of."""

import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_rlkit.ops.prediction_checks import is_distribution


def to_arrays(output: Any, targets: Any = None) -> list[np.ndarray]:
    """Return a model's output as arrays in a fixed order.

    Args:
        output: Tensors, nested as they like, or a distribution.
        targets: Where a distribution's log-probability is looked at as well.

    Returns:
        List of arrays; short floats become float32.
    """
    if is_distribution(output):
        arrays = [keras.ops.convert_to_tensor(output)]
        if targets is not None:
            arrays.append(output.log_prob(targets))
    else:
        arrays = keras.tree.flatten(output)
    return [to_array(array) for array in arrays]


def to_array(value: Any) -> np.ndarray:
    """Return a tensor or variable as an array of NumPy's own dtypes."""
    array = np.asarray(keras.ops.convert_to_numpy(value))
    # bfloat16 is no dtype of NumPy's own.
    return array if array.dtype.kind in "biuf" else array.astype(np.float32)


def differ(one: Any, other: Any) -> bool:
    """Return whether two nested states differ in any bit."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return set(one) != set(other) or any(
            differ(one[key], other[key]) for key in one
        )
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) != len(other) or any(map(differ, one, other))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        one, other = np.asarray(one), np.asarray(other)
        return one.dtype != other.dtype or not np.array_equal(
            one, other, equal_nan=one.dtype.kind == "f"
        )
    return bool(one != other) and not (one != one and other != other)


def is_kept(given: Any, kept: Any) -> bool:
    """Return whether an attribute is what an argument was.

    Args:
        given: The argument. Numbers, strings and collections of them are
            compared; of other objects nothing is asked, since a part may keep
            what it made of them.
        kept: The attribute of the same name.
    """
    if isinstance(given, str) and isinstance(kept, pathlib.Path):
        return pathlib.Path(given) == kept
    if isinstance(given, str) and isinstance(kept, np.dtype):
        return np.dtype(given) == kept
    if isinstance(given, str) and not isinstance(kept, str):
        # Keras makes an object of a name, as of "relu".
        name = getattr(kept, "__name__", type(kept).__name__)
        return _plain_name(name) == _plain_name(given)
    if isinstance(given, (list, tuple)):
        return not differ(list(given), list(kept))
    if given is None or isinstance(given, (bool, int, float, str, np.ndarray)):
        return not differ(given, kept)
    return True


def to_json(config: Any) -> str:
    """Return a configuration as sorted JSON text, for comparison."""
    return json.dumps(
        keras.saving.serialize_keras_object(config), sort_keys=True
    )


def _plain_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
