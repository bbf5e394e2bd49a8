"""What a replay buffer asks of the object that chooses transitions."""

from typing import Any, Self

import numpy as np


class Sampler:
    """Chooses which of the stored transitions make a batch.

    A sampler sees transitions as numbers only: those stored are `oldest` to
    `oldest + size - 1`, the row of number i is `i % capacity`. It is told so
    whenever it is called; what came and what left since the last call follows
    from that, so that storing a transition costs a sampler nothing.

    Subclasses implement `draw` and `get_config`; the rest has defaults for a
    sampler without memory.
    """

    #: Whether draws come with weights, and with numbers for `update`.
    weighs = False

    def start(self, capacity: int) -> None:
        """Get ready for the buffer that this sampler belongs to.

        Args:
            capacity: Transitions that the buffer keeps.
        """

    def size_of(self, capacity: int) -> int:
        """Return the bytes that the sampler takes beside a buffer."""
        return 0

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
            size: How many transitions are stored, at least 1.
            batch_size: How many to draw.

        Returns:
            A tuple `(index, weight)`: transition numbers, int64 [batch_size],
            in [oldest, oldest + size), and weights, float32 [batch_size], or
            `None` where all are 1.
        """
        raise NotImplementedError

    def update(
        self, index: np.ndarray, td_error: np.ndarray, oldest: int, size: int
    ) -> None:
        """Learn how large the errors of some transitions are.

        Args:
            index: Transition numbers, integers [M].
            td_error: Their TD errors, floats [M].
            oldest: Number of the oldest stored transition.
            size: How many transitions are stored.

        Raises:
            ValueError: If the sampler keeps no priorities.
        """
        self._refuse()

    def priorities(self, oldest: int, size: int) -> np.ndarray:
        """Return the priorities of all stored transitions, oldest first.

        Args:
            oldest: Number of the oldest stored transition.
            size: How many transitions are stored.

        Returns:
            float64 [size], in proportion to the probabilities.

        Raises:
            ValueError: If the sampler keeps no priorities.
        """
        self._refuse()

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array of the sampler by name, for saving."""
        return {}

    def counters(self) -> dict[str, Any]:
        """Return what has to be saved beside the arrays, for JSON."""
        return {}

    def restore(
        self, arrays: dict[str, np.ndarray], counters: dict[str, Any]
    ) -> None:
        """Set the state to what `arrays` and `counters` returned."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for JSON."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a sampler from `get_config`."""
        return cls(**config)

    def _refuse(self) -> None:
        raise ValueError(
            "`sampler` must keep priorities for this. Received: "
            f"sampler={type(self).__name__}. Make the buffer with "
            "`sampler=keras_rlkit.replay.Prioritized()`."
        )
