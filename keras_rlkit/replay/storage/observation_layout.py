"""What an observation consists of, and as which frames it is stored."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_rlkit.replay.storage.array_checks import (
    check_dtype,
    check_observation,
    check_shape,
)
from keras_rlkit.replay.storage.frame_groups import FrameGroup, group_leaves
from keras_rlkit.utils import check_positive_integer
from keras_rlkit.utils.nests import (
    flatten,
    flatten_like,
    is_shape,
    pack_like,
)


class Leaf(NamedTuple):
    """One array of an observation.

    Attributes:
        path: Where it is, as Python writes it: `["image"][0]`; empty where the
            observation is one array.
        shape: Shape of one environment's array.
        dtype: Its `np.dtype`.
        stack: Length of the stack on its last axis, or `None`.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype
    stack: int | None


class ObservationLayout:
    """Arrays that an observation consists of, in a fixed order.

    An observation is one array, or a nest of dictionaries and tuples of
    arrays. Storage sees a list of arrays, the leaves, and frames, into which
    they are grouped; models see the nest. A mask of allowed actions is one
    leaf more, behind the others, and no part of the nest.

    Args:
        shape: Shape of one environment's observation, or a nest of shapes.
        dtype: NumPy dtype of all arrays, or a nest of dtypes.
        frame_stack: Length k of the stack on the last axis, or `None`; for a
            nest a nest of such, whose dictionaries may leave out keys of
            arrays that are no stacks.
        mask_size: Number of actions that a mask tells of, or `None` for no
            mask.
        state_shape: Shapes of the arrays of a network's state, stored with
            observations; empty for none.

    Raises:
        ValueError: If one of them doesn't fit.
    """

    def __init__(
        self,
        shape: Any,
        dtype: Any,
        frame_stack: Any = None,
        mask_size: int | None = None,
        state_shape: Sequence[tuple[int, ...]] = (),
    ):
        self._nest, found = flatten("observation_shape", shape, is_shape)
        self.is_array = not isinstance(self._nest, (dict, tuple))
        paths, shapes = zip(*found, strict=True)
        shapes = [check_shape(shape) for shape in shapes]
        dtypes = self._spread("observation_dtype", dtype)
        stacks = self._spread("frame_stack", frame_stack)
        self.leaves = [
            _leaf(*leaf)
            for leaf in zip(paths, shapes, dtypes, stacks, strict=True)
        ]
        #: Leaves of the observation, without the mask.
        self.size = len(self.leaves)
        self.mask_size = mask_size
        if mask_size is not None:
            self.leaves.append(Leaf("", (mask_size,), np.dtype(bool), None))
        self.state_shape = tuple(
            check_shape(shape, "state_shape") for shape in state_shape
        )
        for shape in self.state_shape:
            self.leaves.append(Leaf("", shape, np.dtype(np.float32), None))
        #: What is stored as one frame.
        self.groups: list[FrameGroup] = group_leaves(self.leaves)

    @property
    def shape(self) -> Any:
        """Shape of one observation, or a nest of shapes."""
        return self.nest([leaf.shape for leaf in self.leaves])

    @property
    def dtype(self) -> Any:
        """Dtype of observations, or a nest of dtypes."""
        return self.nest([leaf.dtype for leaf in self.leaves])

    @property
    def frame_stack(self) -> Any:
        """Length of the stacks, or a nest of such; `None` where none are."""
        return self.nest([leaf.stack for leaf in self.leaves])

    def frames(self, leaves: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the frames [N, k, *frame] of observations, by groups.

        Args:
            leaves: All leaves of N observations.
        """
        return [group.frames(leaves) for group in self.groups]

    @property
    def has_stacks(self) -> bool:
        """Whether a leaf is a stack of frames."""
        return any(leaf.stack is not None for leaf in self.leaves)

    def nest(self, leaves: Sequence[Any]) -> Any:
        """Return leaves as the nest that they make; that of a mask is left out.

        Args:
            leaves: One item for each leaf.
        """
        return pack_like(self._nest, leaves)

    def split(self, leaves: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        """Return leaves as a nest, and what is stored beside it.

        Args:
            leaves: One item for each leaf.

        Returns:
            A tuple `(observation, rest)`: `rest` is a dictionary with
            `"action_mask"` and `"state"`, a tuple, where there are such.
        """
        rest, place = {}, self.size
        if self.mask_size is not None:
            rest["action_mask"] = leaves[place]
            place += 1
        if self.state_shape:
            rest["state"] = tuple(leaves[place:])
        return self.nest(leaves), rest

    def check(self, name: str, value: Any, num_envs: int) -> list[np.ndarray]:
        """Return observations as arrays, or raise if they don't fit.

        Args:
            name: Name of the argument.
            value: Observations of N environments, as one array or a nest.
            num_envs: Number of environments N.

        Returns:
            The leaves of the observation, without a mask, in the dtypes
            stored.

        Raises:
            ValueError: If a leaf is missing or one too many, or its shape,
                dtype or values don't fit.
        """
        if self.is_array and not isinstance(value, dict):
            leaf = self.leaves[0]
            shape = num_envs, *leaf.shape
            return [check_observation(name, value, shape, leaf.dtype)]
        values = flatten_like(self._nest, name, value)
        return [
            check_observation(
                f"{name}{leaf.path}", array, (num_envs, *leaf.shape), leaf.dtype
            )
            for leaf, array in zip(self.leaves, values)
        ]

    def zeros(self, *size: int) -> list[np.ndarray]:
        """Return leaves of zeros, `[*size, *shape]` each; masks allow all."""
        leaves = [
            np.zeros((*size, *leaf.shape), leaf.dtype) for leaf in self.leaves
        ]
        if self.mask_size is not None:
            leaves[self.size][...] = True
        return leaves

    def _spread(self, name: str, value: Any) -> list[Any]:
        """Return one item for each leaf, from one for all or a nest."""
        if not isinstance(value, (dict, tuple, list)):
            if name == "frame_stack" and value and not self.is_array:
                raise ValueError(
                    "`frame_stack` must be a nest like the observation where "
                    "that is one. Received: "
                    f"frame_stack={value!r}. Say which of its arrays are "
                    'stacks, as in `frame_stack={"image": 4}`.'
                )
            return [value] * len(flatten_like(self._nest, name, self._nest))
        optional = name == "frame_stack"
        return flatten_like(self._nest, name, value, optional)


def _leaf(
    path: str, shape: tuple[int, ...], dtype: Any, frame_stack: int | None
) -> Leaf:
    if frame_stack is not None:
        frame_stack = check_positive_integer(f"frame_stack{path}", frame_stack)
        if shape[-1:] != (frame_stack,):
            raise ValueError(
                f"`frame_stack{path}` must be the size of the observation's "
                f"last axis. Received: frame_stack{path}={frame_stack} with "
                f"observation_shape{path}={shape}."
            )
    return Leaf(path, shape, check_dtype(dtype), frame_stack)
