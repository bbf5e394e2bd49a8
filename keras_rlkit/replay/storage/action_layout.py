"""What an action consists of: choices, numbers, or several of both."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_rlkit.replay.storage.action_checks import (
    check_continuous_action,
    check_discrete_action,
)
from keras_rlkit.replay.storage.array_checks import check_shape
from keras_rlkit.utils import check_positive_integer
from keras_rlkit.utils.nests import (
    flatten,
    flatten_like,
    is_shape,
    pack_like,
)


class ActionPart(NamedTuple):
    """One array of an action.

    Attributes:
        path: Where it is, as Python writes it; empty for one array.
        shape: Shape of one environment's array.
        sizes: Of integers, how many there are to choose from, for each entry
            of the array; `None` where that isn't known, or for real numbers.
        dtype: `np.dtype` stored: int32 for integers, float32 for numbers.
    """

    path: str
    shape: tuple[int, ...]
    sizes: tuple[int, ...] | None
    dtype: np.dtype


class ActionLayout:
    """Arrays that an action consists of, in a fixed order.

    Args:
        action_shape: Shape of one environment's action, `()` for one integer,
            or a nest of shapes.
        num_actions: How many there are to choose from: an integer for one or
            for all integers of an action, a tuple for each of several, `None`
            for real numbers (and for one integer that isn't checked); a nest
            where `action_shape` is one.

    Raises:
        ValueError: If one of them doesn't fit.
    """

    def __init__(self, action_shape: Any, num_actions: Any):
        self._nest, found = flatten("action_shape", action_shape, is_shape)
        self.num_actions = num_actions
        counts = flatten_like(self._nest, "num_actions", num_actions)
        self.parts = [
            _part(path, check_shape(shape, f"action_shape{path}"), count)
            for (path, shape), count in zip(found, counts, strict=True)
        ]

    @property
    def shape(self) -> Any:
        """Shape of one action, or a nest of shapes."""
        return self.nest([part.shape for part in self.parts])

    @property
    def dtype(self) -> Any:
        """Dtype of actions, or a nest of dtypes."""
        return self.nest([part.dtype for part in self.parts])

    @property
    def mask_size(self) -> int | None:
        """Choices of all integers together; `None` if not known, or none."""
        discrete = [p for p in self.parts if p.dtype == np.int32]
        if not discrete or any(part.sizes is None for part in discrete):
            return None
        return sum(sum(part.sizes) for part in discrete)

    def nest(self, parts: Sequence[Any]) -> Any:
        """Return items, one for each part, as the nest that they make."""
        return pack_like(self._nest, parts)

    def check(self, value: Any, num_envs: int) -> list[np.ndarray]:
        """Return actions as arrays, or raise if they don't fit.

        Args:
            value: Actions of N environments, as one array or a nest.
            num_envs: Number of environments N.

        Raises:
            ValueError: If a part is missing or one too many, or its shape,
                dtype or values don't fit.
        """
        return [
            _check(part, array, num_envs)
            for part, array in zip(
                self.parts,
                flatten_like(self._nest, "action", value),
                strict=True,
            )
        ]

    def zeros(self, size: int) -> list[np.ndarray]:
        """Return parts of zeros, `[size, *shape]` each."""
        return [
            np.zeros((size, *part.shape), part.dtype) for part in self.parts
        ]

    def allowed(self, mask: np.ndarray, action: list[np.ndarray]) -> np.ndarray:
        """Return which actions a mask allows in all their parts.

        Args:
            mask: Booleans [N, A], the choices of all integers side by side.
            action: Arrays as `check` returns them.

        Returns:
            Booleans [N].
        """
        rows, first = np.arange(len(mask)), 0
        result = np.ones(len(mask), bool)
        for part, array in zip(self.parts, action, strict=True):
            for column, size in enumerate(part.sizes or ()):
                chosen = array.reshape(len(mask), -1)[:, column]
                result &= mask[rows, first + chosen]
                first += size
        return result

    def can_act(self, mask: np.ndarray) -> np.ndarray:
        """Return where a mask allows at least one choice of each integer.

        Args:
            mask: Booleans [N, A].

        Returns:
            Booleans [N].
        """
        sizes = [s for part in self.parts for s in part.sizes or ()]
        ends = np.cumsum(sizes)[:-1]
        choices = np.split(mask, ends, axis=1)
        return np.all([choice.any(axis=1) for choice in choices], axis=0)


def _part(path: str, shape: tuple[int, ...], count: Any) -> ActionPart:
    if count is None:
        dtype = np.float32 if shape else np.int32
        return ActionPart(path, shape, None, np.dtype(dtype))
    name, entries = f"num_actions{path}", int(np.prod(shape, dtype=np.int64))
    if isinstance(count, (tuple, list)):
        if len(count) != entries or not shape:
            raise ValueError(
                f"`{name}` must have a number for each of the {entries} "
                f"integers of an action. Received: {name}={count!r} with "
                f"action_shape{path}={shape}."
            )
        sizes = tuple(check_positive_integer(name, size) for size in count)
    else:
        sizes = (check_positive_integer(name, count),) * entries
    return ActionPart(path, shape, sizes, np.dtype(np.int32))


def _check(part: ActionPart, value: Any, num_envs: int) -> np.ndarray:
    shape, name = (num_envs, *part.shape), f"action{part.path}"
    if part.dtype == np.float32:
        return check_continuous_action(value, shape, part.dtype, name)
    limits = None
    if part.sizes is not None:
        limits = np.reshape(part.sizes, part.shape)
    return check_discrete_action(value, shape, limits, name)
