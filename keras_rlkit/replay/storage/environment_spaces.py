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
    if has_mask and getattr(environment, "reads_action_masks", True):
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
        ValueError: If observations are no arrays, or actions have more than
            one axis.
    """
    arguments, actions = _read(environment)
    return {
        **arguments,
        "action_shape": _of_parts(actions, "", 0),
        "num_actions": _of_parts(actions, "", 1),
    }


def _of_parts(space: Any, path: str, number: int) -> Any:
    """Return shapes (0) or numbers of choices (1) of an action's parts."""
    parts = getattr(space, "spaces", None)
    if isinstance(parts, dict):
        return {
            key: _of_parts(part, f"{path}[{key!r}]", number)
            for key, part in parts.items()
        }
    if parts is not None:
        return tuple(
            _of_parts(part, f"{path}[{place}]", number)
            for place, part in enumerate(parts)
        )
    # `MultiBinary` has an `n` too.
    if hasattr(space, "n") and space.shape == ():
        return ((), int(space.n))[number]
    one_axis = len(getattr(space, "shape", None) or ()) == 1
    if one_axis and hasattr(space, "low"):
        return (space.shape, None)[number]
    if one_axis and hasattr(space, "nvec"):
        return (space.shape, tuple(map(int, space.nvec)))[number]
    if one_axis and hasattr(space, "n"):
        return (space.shape, 2)[number]
    raise ValueError(
        "`environment` must have actions that are `Discrete` or have one axis "
        "(`Box`, `MultiDiscrete`, `MultiBinary`), or dictionaries and tuples "
        f"of such. Received: action_space{path}={space}. Flatten them in a "
        "wrapper."
    )
