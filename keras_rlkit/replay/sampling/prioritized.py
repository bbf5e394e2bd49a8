"""Sampling in proportion to how much there is to learn."""

from typing import Any, Self

import numpy as np

from keras_rlkit.replay.sampling.beta_schedule import BetaSchedule
from keras_rlkit.replay.sampling.priority_checks import check_error, check_index
from keras_rlkit.replay.sampling.sampler import Sampler
from keras_rlkit.replay.sampling.sum_tree import SumTree
from keras_rlkit.utils import check_fraction, check_positive_number


class Prioritized(Sampler):
    """Draws transitions in proportion to the size of their TD errors.

    Give it to a `ReplayBuffer`; nothing else changes. `DoubleDQN` keeps the
    TD error of every transition that it is trained on, and `CollectSteps`
    hands them to the buffer after each execution of the training step. The
    priority of a transition is `(|td_error| + epsilon) ** alpha` with the TD
    error of the last time it was trained on; a new transition has the largest
    priority that any has had so far (1 before the first), so that each is
    likely to be seen once. The probability of a transition is its share of the
    sum of all stored priorities; one that was overwritten is never drawn.

    Draws are stratified: of a batch of B, the i-th comes from the i-th of B
    equal parts of that sum. Transitions that come often are trained on with a
    smaller weight, `(N * probability) ** -beta` for N stored transitions,
    divided by the largest weight of the batch. Weights reach the loss as
    `sample_weight`. The paper says "the largest" only; that of the batch needs
    no search through the memory, and one single transition of tiny priority
    can't make all gradient steps small.

    Args:
        alpha: Number in [0, 1], how much priorities count; 0 draws uniformly.
            Defaults to 0.6.
        beta: How much of the bias weights take away, 1 is all of it. A number
            in [0, 1], or a `keras.optimizers.schedules.LearningRateSchedule`
            of the number of batches drawn, which is that of the gradient
            steps; it is evaluated anew every 100 batches. The paper's rises to
            1 at the end of training. Defaults to 0.4.
        epsilon: Positive number that is added to every TD error, so that none
            has no chance. Defaults to 1e-6.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    gradient_steps = 10_000
    replay = rlk.replay.ReplayBuffer(
        capacity=1_000,
        observation_shape=(4,),
        observation_dtype="float32",
        sampler=rlk.replay.Prioritized(
            beta=keras.optimizers.schedules.PolynomialDecay(
                0.4, gradient_steps, 1.0
            )
        ),
    )
    ```

    Reference:
        Schaul et al., Prioritized Experience Replay, sections 3.3 and 3.4 and
        algorithm 1, https://arxiv.org/abs/1511.05952
    """

    weighs = True

    def __init__(
        self, alpha: float = 0.6, beta: Any = 0.4, epsilon: float = 1e-6
    ):
        self.alpha = check_fraction("alpha", alpha)
        self._schedule = BetaSchedule(beta)
        self.beta = self._schedule.beta
        self.epsilon = check_positive_number("epsilon", epsilon)
        self._tree: SumTree | None = None
        # The numbers whose priorities are in the tree.
        self._oldest = 0
        self._end = 0
        self._largest = 1.0
        self._batches = 0

    def start(self, capacity: int) -> None:
        """Get ready for the buffer that this sampler belongs to.

        Args:
            capacity: Transitions that the buffer keeps.

        Raises:
            ValueError: If the sampler belongs to a buffer already.
        """
        if self._tree is not None:
            raise ValueError(
                "`sampler` must belong to one buffer. Received: a sampler that "
                "keeps the priorities of another. Make one for each."
            )
        self._tree = SumTree(capacity)

    def size_of(self, capacity: int) -> int:
        """Return the bytes that the sampler takes beside a buffer."""
        return SumTree.size_of(capacity)

    def draw(
        self,
        generator: np.random.Generator,
        oldest: int,
        size: int,
        batch_size: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose transitions.

        Args:
            generator: Source of randomness.
            oldest: Number of the oldest stored transition.
            size: How many transitions are stored, at least 1.
            batch_size: How many to draw.

        Returns:
            A tuple `(index, weight)`: transition numbers, int64 [batch_size],
            in [oldest, oldest + size), and weights in (0, 1], float32
            [batch_size].
        """
        self._catch_up(oldest, size)
        share = (np.arange(batch_size) + generator.random(batch_size)) / (
            batch_size
        )
        row, priority = self._tree.find(share * self._tree.total())
        index = oldest + (row - oldest) % self._tree.capacity
        # N and the sum of all priorities cancel against the largest weight.
        weight = (priority / priority.min()) ** -self._schedule.at(
            self._batches
        )
        self._batches += 1
        return index, weight.astype(np.float32)

    def update(
        self, index: np.ndarray, td_error: np.ndarray, oldest: int, size: int
    ) -> None:
        """Set priorities; see `ReplayBuffer.update_priorities`.

        Args:
            index: Transition numbers, integers [M].
            td_error: Their TD errors, floats [M].
            oldest: Number of the oldest stored transition.
            size: How many transitions are stored.

        Raises:
            ValueError: If an argument has the wrong shape, dtype or values.
        """
        index = check_index(index, oldest + size)
        error = check_error(td_error, index.shape)
        self._catch_up(oldest, size)
        stored = index >= oldest
        if not stored.any():
            return
        priority = (np.abs(error[stored]) + self.epsilon) ** self.alpha
        self._tree.update(index[stored] % self._tree.capacity, priority)
        self._largest = max(self._largest, float(priority.max()))

    def priorities(self, oldest: int, size: int) -> np.ndarray:
        """Return the priorities of all stored transitions, oldest first.

        Args:
            oldest: Number of the oldest stored transition.
            size: How many transitions are stored.

        Returns:
            float64 [size].
        """
        self._catch_up(oldest, size)
        rows = np.arange(oldest, oldest + size) % self._tree.capacity
        return self._tree.leaves[rows]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array of the sampler by name, for saving."""
        return {"priority": self._tree.leaves}

    def counters(self) -> dict[str, Any]:
        """Return what has to be saved beside the arrays, for JSON."""
        return {
            "oldest": self._oldest,
            "end": self._end,
            "largest": self._largest,
            "batches": self._batches,
        }

    def restore(
        self, arrays: dict[str, np.ndarray], counters: dict[str, Any]
    ) -> None:
        """Set the state to what `arrays` and `counters` returned."""
        rows = np.arange(self._tree.capacity)
        self._tree.update(rows, np.asarray(arrays["priority"]))
        self._oldest = counters["oldest"]
        self._end = counters["end"]
        self._largest = counters["largest"]
        self._batches = counters["batches"]
        self._schedule.forget()

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, a schedule serialized."""
        return {
            "alpha": self.alpha,
            "beta": self._schedule.get_config(),
            "epsilon": self.epsilon,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a sampler from `get_config`. Imports nothing that it names."""
        beta = BetaSchedule.from_config(config["beta"])
        return cls(**{**config, "beta": beta})

    def _catch_up(self, oldest: int, size: int) -> None:
        """Bring in what came since the last call, take out what left."""
        end = oldest + size
        if (oldest, end) == (self._oldest, self._end):
            return
        capacity = self._tree.capacity
        left = np.arange(self._oldest, min(oldest, self._end))
        # Those in whose row a new one lies are overwritten anyhow.
        left = left[left + capacity >= end]
        came = np.arange(max(oldest, self._end), end)
        self._tree.update(
            np.concatenate([left, came]) % capacity,
            np.repeat([0.0, self._largest], [len(left), len(came)]),
        )
        self._oldest, self._end = oldest, end
