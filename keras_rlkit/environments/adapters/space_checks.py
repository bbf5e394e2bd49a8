"""The check of the spaces that adapters can serve."""

from typing import Any


def check_array_space(name: str, space: Any) -> None:
    """Raise unless a space holds one array.

    Args:
        name: `"observation"` or `"action"`.
        space: Space of one environment.

    Raises:
        ValueError: If it is no `Box`, `Discrete`, `MultiBinary` or
            `MultiDiscrete`.
    """
    from gymnasium import spaces

    arrays = (
        spaces.Box,
        spaces.Discrete,
        spaces.MultiBinary,
        spaces.MultiDiscrete,
    )
    if not isinstance(space, arrays):
        advice = (
            " Wrap each single environment in "
            "`gymnasium.wrappers.FlattenObservation`."
            if name == "observation"
            else ""
        )
        raise ValueError(
            f"`environment` must have one array per {name} (`Box`, "
            "`Discrete`, `MultiBinary` or `MultiDiscrete`). "
            f"Received: {name}_space={space}.{advice}"
        )
