"""Looks through wrappers at the single environment inside."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def layers_inside(environment: Any) -> tuple[list[Any], bool]:
    """Return the wrappers of one single environment, outermost first.

    Args:
        environment: A `gymnasium.Env` or `gymnasium.vector.VectorEnv`.

    Returns:
        Its wrappers and, last, the environment itself; for a vector
        environment those of its first one, or an empty list if it has no
        single environments. And whether the environment was made for this
        look and is to be closed: one that runs in another process can't be
        looked into.
    """
    import gymnasium

    made = False
    if isinstance(environment, gymnasium.vector.VectorEnv):
        inside = environment.unwrapped
        if hasattr(inside, "envs"):
            environment = inside.envs[0]
        elif hasattr(inside, "env_fns"):
            environment = inside.env_fns[0]()
            made = True
        else:
            return [], False
    layers = [environment]
    while isinstance(layers[-1], gymnasium.Wrapper):
        layers.append(layers[-1].env)
    return layers, made


def first_attribute(layers: Sequence[Any], *names: str) -> Any:
    """Return the outermost attribute of one of some names, or `None`.

    Args:
        layers: Wrappers from `layers_inside`.
        *names: Names of attributes of the wrappers themselves.

    Returns:
        The value, or `None` if no wrapper has it.
    """
    for layer in layers:
        for name in names:
            # Older wrappers hand on attributes of what they wrap.
            if name in vars(layer):
                return vars(layer)[name]
    return None


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


def random_action(space: Any, generator: np.random.Generator) -> Any:
    """Return a random action without using up the space's own randomness.

    Args:
        space: Action space of one environment.
        generator: Source of the action.

    Returns:
        An element of the space.
    """
    if hasattr(space, "n") and space.shape == ():
        return int(space.start) + int(generator.integers(space.n))
    if hasattr(space, "nvec"):
        return generator.integers(space.nvec).astype(space.dtype)
    if hasattr(space, "n"):
        return generator.integers(2, size=space.shape).astype(space.dtype)
    low = np.where(np.isfinite(space.low), space.low, -1)
    high = np.where(np.isfinite(space.high), space.high, 1)
    return generator.uniform(low, high).astype(space.dtype)
