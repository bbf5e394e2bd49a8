"""What `fit` and its kin are given, looked at before they begin."""

from typing import Any

import keras

# What `tf.data.Dataset.cardinality` gives for data without an end.
INFINITE = -1


def check_data(
    name: str, data: Any, steps_name: str, steps: int | None, method: str
) -> None:
    """Raise if a method is given what it can't take or would never end on.

    Args:
        name: Name of the argument that is to be data.
        data: Its value.
        steps_name: Name of the argument that ends a pass over data.
        steps: Its value.
        method: Name of the method.

    Raises:
        ValueError: If the data are a buffer or an environment, or have no end
            and no number of steps.
    """
    if hasattr(data, "dataset") and hasattr(data, "batches"):
        raise ValueError(
            f"`{name}` must be data, not the buffer that gives them. Received: "
            f"{name}={data!r}."
        )
    if hasattr(data, "step") and hasattr(data, "reset"):
        raise ValueError(
            f"`{name}` must be data, not the environment that they come from. "
            f"Received: {name}={data!r}. Make a buffer that fits it, such as "
            "`replay = ReplayBuffer.for_environment(environment, capacity)` "
            "for `DoubleDQN` or `EpisodeBuffer.for_environment(environment, "
            "discount, lambda_=0.95)` for `ActorCritic`; train on its data, "
            "`fit(replay.dataset(32))`, or `replay.batches(32)` without "
            "TensorFlow; and play in the environment by a callback, "
            "`CollectSteps` or `CollectRollout`."
        )
    if is_endless(data):
        check_steps(steps_name, steps, method)


def check_steps(name: str, steps: int | None, method: str) -> None:
    """Raise where a method would never end its first pass over data.

    Args:
        name: Name of the argument that ends it.
        steps: Its value.
        method: Name of the method.

    Raises:
        ValueError: If the argument is `None`.
    """
    if steps is None:
        raise ValueError(
            f"`{name}` must be given to `{method}` for data without an end, "
            f"as those of a `ReplayBuffer`. Received: {name}=None. Pass a "
            f"number of batches, e.g. `{name}=1_000`."
        )


def is_data_set(data: Any) -> bool:
    """Say whether data come as a `tf.data.Dataset` or `PyDataset`."""
    of_tensorflow = hasattr(data, "cardinality")
    return of_tensorflow or isinstance(data, keras.utils.PyDataset)


def is_endless(data: Any) -> bool:
    """Say whether data are a data set without an end."""
    if not is_data_set(data):
        return False
    if isinstance(data, keras.utils.PyDataset):
        return data.num_batches is None
    return int(data.cardinality()) == INFINITE
