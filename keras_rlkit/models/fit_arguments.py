"""What `fit` is asked to do, looked at before it begins."""

import inspect
from collections.abc import Callable
from typing import Any

import keras

# What `tf.data.Dataset.cardinality` gives for data without an end.
INFINITE = -1


def prepare_fit_arguments(
    fit: Callable, arguments: tuple, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the arguments of `fit`, by name.

    Data sets are never shuffled by Keras: what says so is left out for data
    that come in an order of their own.

    Args:
        fit: Keras' own `fit`.
        arguments: Its positional arguments.
        options: Its other arguments.

    Raises:
        ValueError: If the data have no end, and nothing says how much of them
            an epoch is.
    """
    named = inspect.signature(fit).bind(*arguments, **options).arguments
    data = named.get("x")
    of_keras = isinstance(data, keras.utils.PyDataset)
    if not of_keras and not hasattr(data, "cardinality"):
        return named
    endless = (
        data.num_batches is None
        if of_keras
        else int(data.cardinality()) == INFINITE
    )
    if endless:
        check_steps_per_epoch(named.get("steps_per_epoch"))
    return {"shuffle": False, **named}


def check_steps_per_epoch(steps_per_epoch: int | None) -> None:
    """Raise where the first epoch would never end.

    Args:
        steps_per_epoch: What `fit` was given, or `None`.

    Raises:
        ValueError: If it is `None`.
    """
    if steps_per_epoch is None:
        raise ValueError(
            "`steps_per_epoch` must be given to `fit` for data without an "
            "end, as those of a `ReplayBuffer`. Received: "
            "steps_per_epoch=None. Pass the number of gradient steps after "
            "which an epoch ends, e.g. `steps_per_epoch=1_000`."
        )
