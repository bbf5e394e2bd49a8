"""Observations as an environment gives them, and as arrays of their space."""

from typing import Any

import numpy as np

from keras_rlkit.utils import (
    MASK_KEY,
    cast_values,
    casts_in_kind,
    observation_parts,
)
from keras_rlkit.utils.nests import flatten, flatten_like, is_shape, pack_like


class ObservationArrays:
    """The arrays that observations of a space consist of.

    Args:
        space: Observation space of one environment.

    Attributes:
        shape: Shape of one environment's observation, or a nest of shapes.
        dtype: `np.dtype`, or a nest of such.
        has_mask: Whether a key of the observation holds a mask of allowed
            actions, which is no part of the nests.

    Raises:
        ValueError: If a part of the space holds no array.
    """

    def __init__(self, space: Any):
        self.shape, self.dtype, self.has_mask = observation_parts(space)
        self._nest, found = flatten("observation_space", self.shape, is_shape)
        dtypes = flatten_like(self._nest, "observation_space", self.dtype)
        self._leaves = [
            (path, shape, dtype)
            for (path, shape), dtype in zip(found, dtypes, strict=True)
        ]
        self._is_array = not isinstance(self._nest, (dict, tuple))

    def cast(self, observation: Any, copy: bool) -> Any:
        """Return an observation as arrays in the dtypes of the space.

        Args:
            observation: Of one environment or of several, without a mask.
            copy: Whether the arrays must be new ones.

        Raises:
            ValueError: If a part is missing or one too many, or holds numbers
                that the dtype of its space can't.
            TypeError: If its dtype can't become that of the space without
                loss, as floats in a space of integers.
        """
        if self._is_array:
            return _cast("", observation, self.dtype, copy)
        parts = flatten_like(self._nest, "observation", observation)
        return pack_like(
            self._nest,
            [
                _cast(path, part, dtype, copy)
                for part, (path, _, dtype) in zip(
                    parts, self._leaves, strict=True
                )
            ],
        )

    def take_mask(self, observation: Any) -> tuple[Any, Any]:
        """Return an observation without the mask, and the mask or `None`.

        Args:
            observation: As the environment gave it.
        """
        if not self.has_mask:
            return observation, None
        rest = dict(observation)
        return rest, rest.pop(MASK_KEY, None)

    def check_shape(self, observation: Any, num_envs: int) -> None:
        """Raise unless observations have the shape of their space.

        Args:
            observation: What `cast` returned, of `num_envs` environments.
            num_envs: Number of environments.

        Raises:
            ValueError: If an array has another one.
        """
        arrays = flatten_like(self._nest, "observation", observation)
        for array, (path, shape, _) in zip(arrays, self._leaves, strict=True):
            expected = (num_envs, *shape)
            if array.shape != expected:
                raise ValueError(
                    "`environment` must give observations of the shape that "
                    "its observation space has. Received: "
                    f"{f'observation{path} of ' if path else ''}{array.shape} "
                    f"instead of {expected}."
                )


def _cast(path: str, value: Any, dtype: np.dtype, copy: bool) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype == dtype:
        return array.copy(order="K") if copy else array
    name = f"observation{path}"
    if not casts_in_kind(array.dtype, dtype):
        # Floats in a space of integers would lose their fractions unseen.
        raise TypeError(
            f"`{name}` must have the dtype of the environment's "
            "observation space, or one that casts to it without loss of "
            f"kind, not go from {array.dtype!r} to {dtype!r}. Declare the "
            "space with the dtype that the environment returns."
        )
    return cast_values(
        name,
        array,
        dtype,
        " Scale it in the environment, or declare a wider dtype in its "
        "observation space.",
    )
