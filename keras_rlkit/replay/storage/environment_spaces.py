"""Reads from an environment's spaces what a memory has to know."""

from typing import Any

from keras_rlkit.utils import observation_parts


def _read(environment: Any) -> tuple[dict[str, Any], Any]:
    """Return what both kinds of memory ask for, and the space of actions."""
    observations = getattr(
        environment, "single_observation_space", environment.observation_space
    )
    actions = getattr(
        environment, "single_action_space", environment.action_space
    )
    shape, dtype, has_mask = observation_parts(observations)
    arguments = {
        "observation_shape": shape,
        "observation_dtype": dtype,
        "num_envs": getattr(environment, "num_envs", 1),
    }
    if has_mask:
        arguments["action_masks"] = True
    return arguments, actions


def read_transition_spaces(environment: Any) -> dict[str, Any]:
    """Read from an environment the arguments of a `ReplayBuffer`.

    Args:
        environment: Gymnasium environment or vector environment.

    Returns:
        Dictionary of arguments.

    Raises:
        ValueError: If observations are no arrays, or actions not discrete.
    """
    arguments, actions = _read(environment)
    if not hasattr(actions, "n") or actions.shape != ():
        raise ValueError(
            "`environment` must have discrete actions. Received: "
            f"action_space={actions}. For continuous ones use `EpisodeBuffer`, "
            '`ActorCritic(distribution="gaussian")`, `CollectRollout` and '
            "`Gaussian`."
        )
    return {**arguments, "num_actions": int(actions.n)}


def read_episode_spaces(environment: Any) -> dict[str, Any]:
    """Read from an environment the arguments of an `EpisodeBuffer`.

    Args:
        environment: Gymnasium environment or vector environment.

    Returns:
        Dictionary of arguments.

    Raises:
        ValueError: If observations are no arrays, or actions neither discrete
            nor one-dimensional.
    """
    arguments, actions = _read(environment)
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
        **arguments,
        "action_shape": () if discrete else actions.shape,
        "num_actions": int(actions.n) if discrete else None,
    }
