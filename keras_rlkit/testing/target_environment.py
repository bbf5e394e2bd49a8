"""A continuous task whose best policy and its return are known."""

from typing import Any

import numpy as np

from keras_rlkit.testing.gymnasium_base import LazyEnvironment
from keras_rlkit.utils import check_positive_integer


class TargetEnvironment(LazyEnvironment):
    """Shows a number that the action has to be equal to.

    A `gymnasium.Env` for tests of what acts in continuous spaces. Each step
    gives -(action - target) ** 2; the next target is drawn uniformly from
    [-1, 1]. The best policy answers with what it sees and returns 0. One that
    always answers 0 returns -1/3 for each step in the mean. Episodes end by
    truncation.

    Args:
        length: Positive integer, steps of an episode. Defaults to 5.

    Raises:
        ValueError: If `length` is no positive integer.

    Example:

    ```python
    environment = rlk.testing.TargetEnvironment(length=3)
    target, _ = environment.reset(seed=0)
    _, reward, *_ = environment.step(target)  # reward 0
    ```
    """

    metadata = {"render_modes": []}

    def __init__(self, length: int = 5):
        from gymnasium.spaces import Box

        self.length = check_positive_integer("length", length)
        self.observation_space = Box(-1, 1, (1,), np.float32)
        self.action_space = Box(-1, 1, (1,), np.float32)
        self._target = np.zeros(1, np.float32)
        self._step = 0

    def reset(
        self, *, seed: int | None = None, options: dict | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Draw the first target; see `gymnasium.Env.reset`."""
        super().reset(seed=seed)
        self._step = 0
        return self._draw(), {}

    def step(
        self, action: np.ndarray
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Compare, and draw the next target; see `gymnasium.Env.step`."""
        difference = float(np.asarray(action).item() - self._target.item())
        self._step += 1
        truncated = self._step >= self.length
        return self._draw(), -(difference**2), False, truncated, {}

    def _draw(self) -> np.ndarray:
        target = self.np_random.uniform(-1, 1, size=1)
        self._target = target.astype(np.float32)
        return self._target.copy()
