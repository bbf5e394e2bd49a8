"""Observations of the last steps side by side, on the last axis."""

from typing import Any

import numpy as np

from keras_rlkit.utils import check_choice, check_positive_integer

PADDING = {"repeat": "reset", "zeros": "zero"}


def stack_frames(
    environment: Any, num_frames: int, padding: str = "repeat"
) -> Any:
    """Stack an environment's last observations, oldest first.

    What a network can't see in one observation, such as a velocity, it can see
    in several. The stack is the last axis, as Keras' convolutions and
    `ReplayBuffer(frame_stack=num_frames)` take it: the buffer then keeps each
    frame once. Arrays of dictionaries and tuples are stacked one by one.

    Args:
        environment: A `gymnasium.Env` whose observations are `Box`es, or nests
            of such. In a vector, stack in each environment: `gymnasium.
            make_vec(name, num_envs, vectorization_mode="sync",
            wrappers=[lambda e: rlk.environments.stack_frames(e, 4)])`.
        num_frames: Positive integer, observations in a stack.
        padding: What stands before an episode's first observation:
            `"repeat"`, that observation, or `"zeros"`. Defaults to
            `"repeat"`.

    Returns:
        The wrapped environment, whose observations have one axis more.

    Raises:
        ValueError: If the environment is a vector, or an observation no
            `Box`.

    Example:

    ```python
    import gymnasium

    environment = rlk.environments.stack_frames(
        gymnasium.make("CartPole-v1"), num_frames=4
    )
    environment.observation_space.shape  # (4, 4): what, when
    ```

    Reference:
        Mnih et al., Human-level control through deep reinforcement learning,
        Methods, https://doi.org/10.1038/nature14236
    """
    import gymnasium
    from gymnasium import wrappers

    num_frames = check_positive_integer("num_frames", num_frames)
    check_choice("padding", padding, PADDING)
    if not isinstance(environment, gymnasium.Env):
        raise ValueError(
            "`environment` must be a single environment. Received: "
            f"environment={environment!r}. Stack in each environment of a "
            "vector, with `gymnasium.make_vec(..., "
            'vectorization_mode="sync", wrappers=[...])`.'
        )
    _check(environment.observation_space, "")
    stacked = wrappers.FrameStackObservation(
        environment, num_frames, padding_type=PADDING[padding]
    )
    return wrappers.TransformObservation(
        stacked, _frames_last, _space_frames_last(stacked.observation_space)
    )


def _check(space: Any, path: str) -> None:
    parts = getattr(space, "spaces", None)
    if parts is None:
        if not hasattr(space, "low"):
            raise ValueError(
                "`environment` must have `Box` observations to be stacked. "
                f"Received: observation_space{path}={space}. Leave the others "
                "out, with `gymnasium.wrappers.FilterObservation`."
            )
        return
    pairs = parts.items() if isinstance(parts, dict) else enumerate(parts)
    for key, part in pairs:
        _check(part, f"{path}[{key!r}]")


def _frames_last(observation: Any) -> Any:
    if isinstance(observation, dict):
        return {key: _frames_last(part) for key, part in observation.items()}
    if isinstance(observation, tuple):
        return tuple(map(_frames_last, observation))
    return np.moveaxis(observation, 0, -1)


def _space_frames_last(space: Any) -> Any:
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        parts = space.spaces.items()
        return spaces.Dict({k: _space_frames_last(part) for k, part in parts})
    if isinstance(space, spaces.Tuple):
        return spaces.Tuple(map(_space_frames_last, space.spaces))
    low, high = (np.moveaxis(b, 0, -1) for b in (space.low, space.high))
    return spaces.Box(low, high, dtype=space.dtype)
