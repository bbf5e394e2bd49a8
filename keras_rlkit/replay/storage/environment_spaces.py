"""Reads from an environment's spaces what a memory has to know."""

from typing import Any

import numpy as np


def spaces_of(environment: Any) -> tuple[int, Any, Any]:
    """Return of an environment what both kinds of memory ask for.

    Args:
        environment: Gymnasium environment or vector environment.

    Returns:
        A tuple `(num_envs, observation_space, action_space)`, the spaces those
        of a single environment.

    Raises:
        ValueError: If observations are not one array.
    """
    observations = getattr(
        environment, "single_observation_space", environment.observation_space
    )
    actions = getattr(
        environment, "single_action_space", environment.action_space
    )
    if getattr(observations, "shape", None) is None:
        raise ValueError(
            "`environment` must have one array as observation. Received: "
            f"observation_space={observations}. Wrap it in "
            "`gymnasium.wrappers.FlattenObservation`."
        )
    return getattr(environment, "num_envs", 1), observations, actions


def check_space(
    environment: Any,
) -> tuple[tuple[int, ...], np.dtype, int, int]:
    """Read from an environment what a buffer has to know.

    Args:
        environment: Gymnasium environment or vector environment.

    Returns:
        A tuple `(observation_shape, observation_dtype, num_envs,
        num_actions)`.

    Raises:
        ValueError: If observations are not one array, or actions are not
            discrete.
    """
    num_envs, observations, actions = spaces_of(environment)
    if not hasattr(actions, "n") or actions.shape != ():
        raise ValueError(
            "`environment` must have discrete actions. Received: "
            f"action_space={actions}. For continuous ones use `EpisodeBuffer`, "
            '`ActorCritic(distribution="gaussian")`, `CollectRollout` and '
            "`Gaussian`."
        )
    return observations.shape, observations.dtype, num_envs, int(actions.n)


def read_episode_spaces(environment: Any) -> dict[str, Any]:
    """Read from an environment the arguments of an `EpisodeBuffer`.

    Args:
        environment: Gymnasium environment or vector environment.

    Returns:
        Dictionary of arguments.

    Raises:
        ValueError: If observations are not one array, or actions neither
            discrete nor one-dimensional.
    """
    num_envs, observations, actions = spaces_of(environment)
    # `MultiBinary` has an `n` too.
    discrete = hasattr(actions, "n") and actions.shape == ()
    continuous = hasattr(actions, "low") and len(actions.shape) == 1
    if not discrete and not continuous:
        raise ValueError(
            "`environment` must have `Discrete` or one-dimensional `Box` "
            f"actions. Received: action_space={actions}. Flatten them in a "
            "wrapper."
        )
    return {
        "observation_shape": observations.shape,
        "observation_dtype": observations.dtype,
        "num_envs": num_envs,
        "action_shape": () if discrete else actions.shape,
        "num_actions": int(actions.n) if discrete else None,
    }
