"""Observations as the frames that they consist of."""

import numpy as np


def frames_of(
    observation_shape: tuple[int, ...], frame_stack: int | None
) -> tuple[int, tuple[int, ...]]:
    """Return of how many frames an observation consists, and their shape.

    Args:
        observation_shape: Shape of one environment's observation.
        frame_stack: Length k of the stack on its last axis, or `None`.

    Returns:
        A tuple `(stack, frame_shape)`; `stack` is 1 without a stack.

    Raises:
        ValueError: If the last axis isn't k long.
    """
    if frame_stack is None:
        return 1, observation_shape
    if observation_shape[-1:] != (frame_stack,):
        raise ValueError(
            "`frame_stack` must be the size of the observation's last "
            f"axis. Received: frame_stack={frame_stack} with "
            f"observation_shape={observation_shape}."
        )
    return frame_stack, observation_shape[:-1]


def frames_first(
    observation: np.ndarray, frame_stack: int | None
) -> np.ndarray:
    """Return observations [N, ...] with the k frames on axis 1, as a view."""
    if frame_stack is None:
        return observation[:, None]
    return np.moveaxis(observation, -1, 1)
