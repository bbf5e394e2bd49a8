"""Time limits that an environment is known to have."""

from collections.abc import Sequence
from typing import Any

from keras_rlkit.environments.traps.wrapper_layers import first_attribute


def registered_limit(environment: Any) -> int | None:
    """Return the time limit of an environment's episodes.

    Args:
        environment: A `gymnasium.Env` or `gymnasium.vector.VectorEnv`.

    Returns:
        Steps, or `None` if neither it nor its id in the registry has one.
    """
    import gymnasium

    spec = environment.spec
    if spec is None:
        return None
    # Vector classes are given the limit as an argument.
    limit = spec.kwargs.get("max_episode_steps", spec.max_episode_steps)
    if limit is None and spec.id in gymnasium.registry:
        # Without its wrappers, an environment has forgotten its limit.
        limit = gymnasium.registry[spec.id].max_episode_steps
    return limit


def is_limited(environment: Any, layers: Sequence[Any]) -> bool:
    """Return whether something is known to end every episode in time.

    Args:
        environment: A `gymnasium.Env` or `gymnasium.vector.VectorEnv`.
        layers: Wrappers of one environment inside, or an empty list.

    Returns:
        Whether there is a limit in steps or in an emulator's frames.
    """
    spec = environment.spec
    return (
        registered_limit(environment) is not None
        or first_attribute(layers, "_max_episode_steps", "max_episode_steps")
        is not None
        or "max_num_frames_per_episode" in getattr(spec, "kwargs", {})
        or "max_episode_frames"
        in getattr(environment.unwrapped, "settings", {})
    )
