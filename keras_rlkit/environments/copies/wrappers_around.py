"""The wrappers around an environment."""

from typing import Any


def wrappers_of(environment: Any) -> list[Any]:
    """Return the wrappers that change what is played, outermost first.

    Args:
        environment: `gymnasium.Env` or `gymnasium.vector.VectorEnv`.

    Returns:
        Wrappers, without those that only show or record: first of the
        environment itself, then of the first one in a vector.
    """
    import gymnasium

    found = []
    while True:
        if isinstance(
            environment, (gymnasium.Wrapper, gymnasium.vector.VectorWrapper)
        ):
            if not isinstance(environment, _showing()):
                found.append(environment)
            environment = environment.env
        elif isinstance(environment, gymnasium.vector.VectorEnv) and getattr(
            environment, "envs", None
        ):
            environment = environment.envs[0]
        else:
            return found


def _showing() -> tuple[type, ...]:
    from gymnasium import wrappers

    return (
        wrappers.HumanRendering,
        wrappers.RecordVideo,
        wrappers.RenderCollection,
        wrappers.vector.HumanRendering,
        wrappers.vector.RecordVideo,
    )
