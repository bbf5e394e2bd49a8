"""Brings rewards to a size at which returns vary by about 1."""

from typing import Any

import numpy as np

from keras_rlkit.ops.moments import Moments, merge_moments


class RewardNormalization:
    """Follows the discounted return of what was played so far.

    Each environment has one running sum, discount * sum + reward, set back
    where an episode ends. Rewards divided by the standard deviation of all
    these sums give returns, and values to be learned, of a size that does not
    depend on the environment.

    Args:
        num_envs: Number of environments N.
        discount: Discount factor of one step.

    Reference:
        Engstrom et al., Implementation Matters in Deep Policy Gradients,
        section 2, https://arxiv.org/abs/2005.12729
    """

    def __init__(self, num_envs: int, discount: float):
        self._discount = discount
        self._moments = Moments(0.0, np.zeros(()), np.zeros(()))
        self._sums = np.zeros(num_envs)
        self._new: list[np.ndarray] = []

    def add(
        self, reward: np.ndarray, end: np.ndarray, counted: np.ndarray
    ) -> None:
        """Take one step of every environment.

        Args:
            reward: Rewards [N], as they are stored.
            end: Booleans [N], whether the episode ended with this step.
            counted: Booleans [N], whether the step is learned from.
        """
        self._sums = np.where(counted, self._discount * self._sums + reward, 0)
        self._new.append(self._sums[counted])
        self._sums = np.where(end, 0.0, self._sums)

    def begin_episodes(self) -> None:
        """Forget the sums of episodes that don't go on."""
        self._sums = np.zeros_like(self._sums)

    def scale(self) -> float:
        """Return what rewards are to be multiplied by, given all steps."""
        if self._new:
            self._moments = merge_moments(
                self._moments, np.concatenate(self._new)
            )
            self._new = []
        deviation = float(np.sqrt(self._moments.variance))
        # Equal sums: nothing but a rounding error to divide by.
        if deviation <= 1e-6 * abs(float(self._moments.mean)):
            return 1.0
        return 1 / deviation

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue exactly."""
        count, mean, variance = self._moments
        return {
            "count": float(count),
            "mean": float(mean),
            "variance": float(variance),
            "sums": self._sums.copy(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned."""
        self._moments = Moments(
            state["count"], np.array(state["mean"]), np.array(state["variance"])
        )
        self._sums = np.array(state["sums"])
        self._new = []
