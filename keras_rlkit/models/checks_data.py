"""What `fit` and its kin are asked to do, looked at before they begin."""

import inspect
from collections.abc import Callable
from typing import Any

import keras

# What `tf.data.Dataset.cardinality` gives for data without an end.
INFINITE = -1


class ChecksData:
    """What the kit's models share: `fit` that knows data without an end.

    Stands before `keras.Model` among the bases of a class.
    """

    def fit(self, *arguments: Any, **options: Any) -> Any:
        """Train, as `keras.Model.fit` does.

        Args:
            *arguments: As in `keras.Model.fit`.
            **options: As in `keras.Model.fit`. `steps_per_epoch` is needed
                for data without an end, as those of a `ReplayBuffer`.

        Returns:
            `keras.callbacks.History`. An epoch in which a score was not
            measured has `None` for it.

        Raises:
            ValueError: If data have no end, and nothing says how much of them
                an epoch is.
        """
        named = _by_name(super().fit, arguments, options)
        if _is_endless(named.get("x")):
            check_steps(named, "steps_per_epoch", "fit")
        if _is_endless(named.get("validation_data")):
            check_steps(named, "validation_steps", "fit")
        if _is_data_set(named.get("x")):
            # They come in an order of their own; Keras warns otherwise.
            named = {"shuffle": False, **named}
        return super().fit(**named)

    def evaluate(self, *arguments: Any, **options: Any) -> Any:
        """Evaluate, as `keras.Model.evaluate` does.

        Args:
            *arguments: As in `keras.Model.evaluate`.
            **options: As in `keras.Model.evaluate`. `steps` is needed for data
                without an end.

        Returns:
            As `keras.Model.evaluate`.

        Raises:
            ValueError: If the data have no end and `steps` is missing.
        """
        named = _by_name(super().evaluate, arguments, options)
        if _is_endless(named.get("x")):
            check_steps(named, "steps", "evaluate")
        return super().evaluate(**named)

    def predict(self, *arguments: Any, **options: Any) -> Any:
        """Predict, as `keras.Model.predict` does.

        Args:
            *arguments: As in `keras.Model.predict`.
            **options: As in `keras.Model.predict`. `steps` is needed for data
                without an end.

        Returns:
            As `keras.Model.predict`.

        Raises:
            ValueError: If the data have no end and `steps` is missing.
        """
        named = _by_name(super().predict, arguments, options)
        if _is_endless(named.get("x")):
            check_steps(named, "steps", "predict")
        return super().predict(**named)


def check_steps(named: dict[str, Any], name: str, method: str) -> None:
    """Raise where a method would never end.

    Args:
        named: What the method was given, by name.
        name: Name of the argument that ends it.
        method: Its name.

    Raises:
        ValueError: If the argument is missing or `None`.
    """
    if named.get(name) is None:
        raise ValueError(
            f"`{name}` must be given to `{method}` for data without an end, "
            f"as those of a `ReplayBuffer`. Received: {name}=None. Pass a "
            f"number of batches, e.g. `{name}=1_000`."
        )


def _by_name(
    method: Callable, arguments: tuple, options: dict[str, Any]
) -> dict[str, Any]:
    bound = inspect.signature(method).bind(*arguments, **options)
    extra = bound.arguments.pop("kwargs", {})
    return {**bound.arguments, **extra}


def _is_data_set(data: Any) -> bool:
    of_tensorflow = hasattr(data, "cardinality")
    return of_tensorflow or isinstance(data, keras.utils.PyDataset)


def _is_endless(data: Any) -> bool:
    if not _is_data_set(data):
        return False
    if isinstance(data, keras.utils.PyDataset):
        return data.num_batches is None
    return int(data.cardinality()) == INFINITE
