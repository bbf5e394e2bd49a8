"""Looks through wrappers at the single environment inside."""

from collections.abc import Sequence
from typing import Any


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
