"""An environment whose returns are known beforehand."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rlkit.testing.gymnasium_base import LazyEnvironment
from keras_rlkit.utils import check_positive_integer


class CounterEnvironment(LazyEnvironment):
    """Shows (episode, step), whatever is done in it. A `gymnasium.Env`.

    Every number that comes of it can be foretold: episode i takes
    `lengths[i % len(lengths)]` steps and returns `reward` times as much. For
    tests of what collects, stores and counts. The first reset begins episode
    0; after each reset the step is 0.

    Args:
        lengths: Positive integers, the steps of the episodes, in a circle.
            Defaults to `(5,)`.
        reward: Number, the reward of every step. Defaults to 1.
        truncates: Whether every second episode is truncated instead of
            terminated. Defaults to `False`.
        num_actions: Positive integer, number of actions. Defaults to 2.

    Raises:
        ValueError: If a length or `num_actions` is no positive integer.

    Example:

    ```python
    environment = rlk.testing.CounterEnvironment(lengths=(3, 7), reward=2.0)
    evaluation = rlk.callbacks.EvaluatePolicy(
        environment, rlk.policies.Greedy(), episodes=2
    )
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    evaluation.evaluate(network)  # [6, 14]
    ```
    """

    metadata = {"render_modes": []}

    def __init__(
        self,
        lengths: Sequence[int] = (5,),
        reward: float = 1.0,
        truncates: bool = False,
        num_actions: int = 2,
    ):
        from gymnasium.spaces import Box, Discrete

        self.lengths = tuple(
            check_positive_integer("lengths", length) for length in lengths
        )
        self.reward = float(reward)
        self.truncates = bool(truncates)
        self.num_actions = check_positive_integer("num_actions", num_actions)
        self.observation_space = Box(0, np.inf, (2,), np.float32)
        self.action_space = Discrete(self.num_actions)
        self._episode = -1
        self._step = 0

    def reset(
        self, *, seed: int | None = None, options: dict | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin the next episode; see `gymnasium.Env.reset`."""
        super().reset(seed=seed)
        self._episode += 1
        self._step = 0
        return self._observation(), {}

    def step(
        self, action: int
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Count one step; see `gymnasium.Env.step`."""
        self._step += 1
        length = self.lengths[self._episode % len(self.lengths)]
        ended = self._step >= length
        truncated = ended and self.truncates and self._episode % 2 == 1
        terminated = ended and not truncated
        return self._observation(), self.reward, terminated, truncated, {}

    def _observation(self) -> np.ndarray:
        return np.array([self._episode, self._step], np.float32)
