"""A Markov decision process whose optimal Q values are known."""

from typing import Any

import numpy as np

from keras_rlkit.testing.gymnasium_base import LazyEnvironment
from keras_rlkit.utils import check_fraction, check_positive_integer

LEFT, RIGHT = 0, 1


class ChainEnvironment(LazyEnvironment):
    """A row of states with the only reward at its right end.

    A `gymnasium.Env` for tests of what learns values. Action 1 moves right,
    action 0 left; left of the first state is a wall. The step out of the last
    state to the right gives 1 and ends the episode, all others give 0.
    Episodes begin in the first state. Observations are one-hot, so that one
    `Dense` layer can hold any Q values.

    Args:
        length: Positive integer, number of states. Defaults to 5.

    Raises:
        ValueError: If `length` is no positive integer.

    Example:

    ```python
    environment = rlk.testing.ChainEnvironment(length=3)
    environment.optimal_q_values(discount=0.5)
    # [[0.125, 0.25], [0.125, 0.5], [0.25, 1.0]]
    ```

    Reference:
        Sutton and Barto, Reinforcement Learning: An Introduction, second
        edition, section 3.6, http://incompleteideas.net/book/the-book.html
    """

    metadata = {"render_modes": []}

    def __init__(self, length: int = 5):
        from gymnasium.spaces import Box, Discrete

        self.length = check_positive_integer("length", length)
        self.observation_space = Box(0, 1, (self.length,), np.float32)
        self.action_space = Discrete(2)
        self._state = 0

    def optimal_q_values(self, discount: float) -> np.ndarray:
        """Return Q* of every state and action.

        From state s the shortest way takes `length - s` steps and is rewarded
        in the last, so Q*(s, right) = discount ** (length - s - 1). Left costs
        that step, and the way from where it leads.

        Args:
            discount: Number in [0, 1].

        Returns:
            float64 array [length, 2].
        """
        discount = check_fraction("discount", discount)
        state = np.arange(self.length)
        right = discount ** (self.length - state - 1.0)
        left = discount * right[np.maximum(state - 1, 0)]
        return np.stack([left, right], axis=1)

    def reset(
        self, *, seed: int | None = None, options: dict | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin in the first state; see `gymnasium.Env.reset`."""
        super().reset(seed=seed)
        self._state = 0
        return self._observation(), {}

    def step(
        self, action: int
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Move; see `gymnasium.Env.step`."""
        terminated = action == RIGHT and self._state == self.length - 1
        if not terminated:
            move = 1 if action == RIGHT else -1
            self._state = max(self._state + move, 0)
        return self._observation(), float(terminated), terminated, False, {}

    def _observation(self) -> np.ndarray:
        return np.eye(self.length, dtype=np.float32)[self._state]
