"""True scores of episodes, whatever learning makes of the rewards."""

from typing import Any

import numpy as np


class EpisodeStatistics:
    """Adds up rewards and steps until each environment's episode ends.

    Args:
        num_envs: Number of environments N.

    Example:

    ```python
    from keras_rlkit.callbacks.episode_statistics import EpisodeStatistics

    statistics = EpisodeStatistics(num_envs=1)
    one = np.array([True])
    statistics.update(np.array([1.0]), end=~one, valid=one)
    statistics.update(np.array([2.0]), end=one, valid=one)
    statistics.take()  # ([3.0], [2])
    ```
    """

    def __init__(self, num_envs: int):
        self._return = np.zeros(num_envs)
        self._length = np.zeros(num_envs, np.int64)
        self._returns: list[float] = []
        self._lengths: list[int] = []

    def update(
        self,
        reward: np.ndarray,
        end: np.ndarray,
        valid: np.ndarray,
        told: np.ndarray | None = None,
    ) -> None:
        """Take one step of every environment.

        Args:
            reward: Rewards [N] as the environment gave them.
            end: Booleans [N], whether the episode ended with this step.
            valid: Booleans [N], whether the environment stepped at all.
            told: Floats [N], returns that the environment itself tells of
                episodes that ended, which stand above the sum of the rewards,
                and NaN elsewhere; or `None`.
        """
        self._return += np.where(valid, reward, 0.0)
        self._length += valid
        score = true_returns(self._return, told)
        for row in np.nonzero(end & valid)[0]:
            self._returns.append(float(score[row]))
            self._lengths.append(int(self._length[row]))
            self._return[row] = 0.0
            self._length[row] = 0

    def take(self) -> tuple[list[float], list[int]]:
        """Return returns and lengths of the episodes ended since last time."""
        taken = self._returns, self._lengths
        self._returns, self._lengths = [], []
        return taken

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue exactly."""
        return {
            "return": self._return.copy(),
            "length": self._length.copy(),
            "returns": list(self._returns),
            "lengths": list(self._lengths),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned."""
        self._return = np.array(state["return"])
        self._length = np.array(state["length"])
        self._returns = list(state["returns"])
        self._lengths = list(state["lengths"])


def true_returns(sums: np.ndarray, told: np.ndarray | None) -> np.ndarray:
    """Return the scores of episodes that end now.

    Args:
        sums: Floats [N], sums of the rewards seen.
        told: `Step.episode_return`.

    Returns:
        Floats [N]: what is told where it is, else the sums. Wrappers above
        the one that tells may have clipped or scaled the rewards.
    """
    return sums if told is None else np.where(np.isnan(told), sums, told)
