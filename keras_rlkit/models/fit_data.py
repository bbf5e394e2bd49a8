"""What people hand to `fit` where it wants data."""

from typing import Any


def check_fit_data(data: Any) -> None:
    """Raise if `fit` is given the source of its data instead of the data.

    Args:
        data: First argument of `fit`.

    Raises:
        ValueError: If it is a buffer or an environment.
    """
    if hasattr(data, "dataset") and hasattr(data, "batches"):
        raise ValueError(
            "`x` must be data, not the buffer that gives them. Received: "
            f"x={data!r}."
        )
    if hasattr(data, "step") and hasattr(data, "reset"):
        raise ValueError(
            "`x` must be data, not the environment that they come from. "
            f"Received: x={data!r}. Make a buffer that fits it, such as "
            "`replay = ReplayBuffer.for_environment(environment, capacity)` "
            "for `DoubleDQN` or `EpisodeBuffer.for_environment(environment, "
            "discount, lambda_=0.95)` for `ActorCritic`; train on its data, "
            "`fit(replay.dataset(32))`, or `replay.batches(32)` without "
            "TensorFlow; and play in the environment by a callback, "
            "`CollectSteps` or `CollectRollout`."
        )
