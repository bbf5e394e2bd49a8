"""The check of the action spaces that adapters can serve."""

from typing import Any


def check_action_space(space: Any, path: str = "") -> None:
    """Raise unless a space holds arrays, or nests of arrays.

    Args:
        space: Action space of one environment.
        path: Where it is in the environment's space. Defaults to the whole.

    Raises:
        ValueError: If it, or a part of it, is no `Box`, `Discrete`,
            `MultiBinary` or `MultiDiscrete`.
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        for key, part in space.spaces.items():
            check_action_space(part, f"{path}[{key!r}]")
        return
    if isinstance(space, spaces.Tuple):
        for place, part in enumerate(space.spaces):
            check_action_space(part, f"{path}[{place}]")
        return
    arrays = (
        spaces.Box,
        spaces.Discrete,
        spaces.MultiBinary,
        spaces.MultiDiscrete,
    )
    if not isinstance(space, arrays):
        raise ValueError(
            "`environment` must have arrays as actions (`Box`, `Discrete`, "
            "`MultiBinary` or `MultiDiscrete`), or dictionaries and tuples of "
            f"such. Received: action_space{path}={space}."
        )
