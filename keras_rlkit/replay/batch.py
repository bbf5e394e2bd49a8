"""What is drawn from a buffer, and its form as a batch for `fit`."""

from typing import Any, NamedTuple

import numpy as np

Batch = tuple[Any, ...]


class Draw(NamedTuple):
    """Transitions as they lie in storage.

    `frames` [w, B, *frame]: the first k of the w frames make the observation,
    the last k the next one. `weight` is `None` where all weights are 1.
    """

    frames: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    discount: np.ndarray
    index: np.ndarray
    weight: np.ndarray | None


def to_batch(draw: Draw, frame_stack: int | None, copy: bool) -> Batch:
    """Return a draw in the form that models train on.

    Args:
        draw: What was drawn.
        frame_stack: Length k of the observations' stacks, or `None`.
        copy: Whether to lay stacks out as models want them, frames innermost,
            which takes longer than drawing them. Otherwise they are views.

    Returns:
        `(observation, {"action", "reward", "discount", "next_observation"})`;
        weighed draws have `"index"` in the dictionary and the weights as a
        third item.
    """
    if frame_stack is None:
        observation, next_observation = draw.frames
    else:
        observation = _frames_last(draw.frames[:frame_stack], copy)
        next_observation = _frames_last(draw.frames[-frame_stack:], copy)
    rest = {
        "action": draw.action,
        "reward": draw.reward,
        "discount": draw.discount,
        "next_observation": next_observation,
    }
    if draw.weight is None:
        return observation, rest
    return observation, {**rest, "index": draw.index}, draw.weight


def _frames_last(frames: np.ndarray, copy: bool) -> np.ndarray:
    view = np.moveaxis(frames, 0, -1)
    if not copy:
        return view
    result = np.empty(view.shape, view.dtype)
    # Frame by frame: three times as fast as copying the view.
    for position, frame in enumerate(frames):
        result[..., position] = frame
    return result
