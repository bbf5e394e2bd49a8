"""Which arrays of an observation are stored together, as one frame."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class FrameGroup(NamedTuple):
    """Leaves of an observation that are stored as one frame.

    A stack has its frames for itself, each stored once. All others change
    together: they are one frame of bytes, unless there is only one of them.

    Attributes:
        frame_shape: Shape of a frame.
        frame_dtype: Its `np.dtype`.
        stack: Frames of an observation, 1 for what is no stack.
        is_stack: Whether it is a stack of frames on the last axis.
        leaves: Numbers of the leaves in it.
        offsets: Of several leaves, where each begins in the frame, and the
            size of all in bytes.
    """

    frame_shape: tuple[int, ...]
    frame_dtype: np.dtype
    stack: int
    is_stack: bool
    leaves: tuple[int, ...]
    offsets: tuple[int, ...]

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame."""
        return math.prod(self.frame_shape) * self.frame_dtype.itemsize

    def frames(self, leaves: Sequence[np.ndarray]) -> np.ndarray:
        """Return the frames [N, k, *frame] of observations.

        Args:
            leaves: All leaves of N observations.
        """
        if len(self.leaves) == 1:
            leaf = leaves[self.leaves[0]]
            return np.moveaxis(leaf, -1, 1) if self.is_stack else leaf[:, None]
        parts = []
        for number in self.leaves:
            leaf = np.ascontiguousarray(leaves[number])
            parts.append(leaf.reshape(len(leaf), -1).view(np.uint8))
        return np.concatenate(parts, axis=1)[:, None]

    def split(self, frames: np.ndarray, leaves: Sequence[Any]) -> list[Any]:
        """Return the leaves [*first, *shape] of frames [*first, *frame].

        Args:
            frames: Frames of this group.
            leaves: Descriptions of all leaves.

        Returns:
            An array for each of the group's leaves: of a stack, its frames.
        """
        if len(self.leaves) == 1:
            return [frames]
        parts = []
        for place, number in enumerate(self.leaves):
            leaf = leaves[number]
            part = frames[..., self.offsets[place] : self.offsets[place + 1]]
            part = np.ascontiguousarray(part).view(leaf.dtype)
            parts.append(part.reshape(*frames.shape[:-1], *leaf.shape))
        return parts


def group_leaves(leaves: Sequence[Any]) -> list[FrameGroup]:
    """Return the groups that leaves are stored in.

    Args:
        leaves: Descriptions of all leaves, with `shape`, `dtype` and `stack`.
    """
    groups = []
    together = [n for n, leaf in enumerate(leaves) if leaf.stack is None]
    for number, leaf in enumerate(leaves):
        if leaf.stack is not None:
            shape = leaf.shape[:-1]
            group = FrameGroup(
                shape, leaf.dtype, leaf.stack, True, (number,), ()
            )
            groups.append(group)
    if len(together) == 1:
        leaf = leaves[together[0]]
        groups.append(
            FrameGroup(leaf.shape, leaf.dtype, 1, False, (together[0],), ())
        )
    elif together:
        offsets = [0]
        for number in together:
            leaf = leaves[number]
            size = math.prod(leaf.shape) * leaf.dtype.itemsize
            offsets.append(offsets[-1] + size)
        groups.append(
            FrameGroup(
                (offsets[-1],),
                np.dtype(np.uint8),
                1,
                False,
                tuple(together),
                tuple(offsets),
            )
        )
    return groups
