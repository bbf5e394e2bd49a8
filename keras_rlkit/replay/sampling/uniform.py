"""Uniform sampling."""

from typing import Any

import numpy as np

from keras_rlkit.replay.sampling.sampler import Sampler


class Uniform(Sampler):
    """Draws every stored transition with the same probability.

    The default sampler of `ReplayBuffer`. Draws are independent, with
    replacement.

    Example:

    ```python
    replay = rlk.replay.ReplayBuffer(
        capacity=1_000,
        observation_shape=(4,),
        observation_dtype="float32",
        sampler=rlk.replay.Uniform(),
    )
    ```

    Reference:
        Mnih et al., Human-level control through deep reinforcement learning,
        Methods, https://doi.org/10.1038/nature14236
    """

    def draw(
        self,
        generator: np.random.Generator,
        oldest: int,
        size: int,
        batch_size: int,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Choose transitions.

        Args:
            generator: Source of randomness.
            oldest: Number of the oldest stored transition.
            size: How many transitions are stored.
            batch_size: How many to draw.

        Returns:
            A tuple `(index, weight)`: transition numbers, int64 [batch_size],
            in [oldest, oldest + size), and `None`, since all weights are 1.
        """
        return oldest + generator.integers(size, size=batch_size), None

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}
