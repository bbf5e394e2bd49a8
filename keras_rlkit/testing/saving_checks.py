"""Clauses on files and pickles."""

import copy
import pathlib
import pickle
import tempfile
from typing import Any

import keras
import numpy as np

from keras_rlkit.testing.clauses import require
from keras_rlkit.testing.comparisons import differ, to_array, to_arrays


def shift_weights(model: keras.Model) -> None:
    """Give every weight another value than a new model has."""
    generator = np.random.default_rng(0)
    for weight in model.weights:
        array = to_array(weight)
        if array.dtype.kind == "f":
            shift = generator.uniform(0.01, 0.1, array.shape)
        else:
            shift = np.ones(array.shape)
        weight.assign((array + shift).astype(array.dtype))


def save_and_load(model: keras.Model) -> keras.Model:
    """Return what a `.keras` file gives back, in safe mode."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        model.save(path)
        return keras.models.load_model(path, safe_mode=True)


def pickled(thing: Any) -> Any:
    """Return a copy by pickle.

    A class made inside of a function can't be pickled whatever it does: its
    objects are copied by `copy.deepcopy`, which asks them the same.
    """
    try:
        pickle.dumps(type(thing))
    except Exception:
        return copy.deepcopy(thing)
    return pickle.loads(pickle.dumps(thing))


def check_copy(
    model: keras.Model, loaded: keras.Model, inputs: Any, targets: Any = None
) -> None:
    """Check that a copy of a model has its weights and gives the same.

    Args:
        model: The model.
        loaded: Its copy.
        inputs: What to call both with.
        targets: Where distributions are compared.

    Raises:
        AssertionError: If the copy differs in any bit.
    """
    for one, other in zip(model.weights, loaded.weights, strict=True):
        require(
            not differ(to_array(one), to_array(other)),
            f"the weight `{one.path}` must come back as it was.",
        )
    one, other = (
        to_arrays(model(inputs), targets),
        to_arrays(loaded(inputs), targets),
    )
    require(
        not differ(one, other),
        "a copy must give the same output for the same input.",
    )
