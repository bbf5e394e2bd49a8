"""The forms in which models take batches of transitions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_rlkit.replay.feeding.sequence_forms import as_sequences
from keras_rlkit.replay.storage.draw import Draw
from keras_rlkit.replay.storage.observation_layout import ObservationLayout

Batch = tuple[Any, ...]


def view_frames_last(frames: np.ndarray, first: int, count: int) -> np.ndarray:
    """Return some of frames [w, B, *frame] as stacks, not copied.

    Args:
        frames: The frames.
        first: Place of the first one of a stack; negative from the end.
        count: Frames k of a stack.

    Returns:
        View [B, *frame, k].
    """
    frames = frames[first:][:count]
    # A tenth of the time of `np.moveaxis`.
    return frames.transpose(*range(1, frames.ndim), 0)


def copy_frames_last(frames: np.ndarray, first: int, count: int) -> np.ndarray:
    """Return some of frames [w, B, *frame] as stacks in one piece.

    As models want them; this takes longer than drawing them.

    Args:
        frames: As in `view_frames_last`.
        first: As in `view_frames_last`.
        count: As in `view_frames_last`.

    Returns:
        Array [B, *frame, k].
    """
    frames = frames[first:][:count]
    result = np.empty((*frames.shape[1:], len(frames)), frames.dtype)
    # Frame by frame: three times as fast as copying the view.
    for position, frame in enumerate(frames):
        result[..., position] = frame
    return result


def to_batch(
    draw: Draw,
    layout: ObservationLayout,
    frames_last: Callable[[Any, int, int], Any] = view_frames_last,
    reshape: Callable[[Any, Any], Any] = np.reshape,
) -> Batch:
    """Return a draw in the form that models train on.

    Args:
        draw: What was drawn, as arrays or as tensors.
        layout: What an observation consists of.
        frames_last: Makes stacks of frames, as `view_frames_last`.
        reshape: Gives an array another shape, as `np.reshape`.

    Returns:
        `(observation, {"action", "reward", "discount", "next_observation"})`;
        with masks, `"action_mask"` and `"next_action_mask"` are in the
        dictionary; weighed draws have `"index"` in it and the weights as a
        third item. Of sequences, see `as_sequences`.
    """
    now, then = [], []
    for frames, leaf in zip(draw.frames, layout.leaves, strict=True):
        if leaf.stack is None:
            now.append(frames[0])
            then.append(frames[1])
        else:
            now.append(frames_last(frames, 0, leaf.stack))
            then.append(frames_last(frames, -leaf.stack, leaf.stack))
    observation, beside = layout.split(now)
    next_observation, next_beside = layout.split(then)
    rest = {
        "action": draw.action,
        "reward": draw.reward,
        "discount": draw.discount,
        "next_observation": next_observation,
    }
    rest |= beside
    rest |= {f"next_{name}": part for name, part in next_beside.items()}
    if draw.mask is not None:
        observation, rest = as_sequences(draw, observation, rest, reshape)
    if draw.weight is None:
        return observation, rest
    return observation, {**rest, "index": draw.index}, draw.weight
