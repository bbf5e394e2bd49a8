"""Notes what is wrong with the observations that pass by."""

from typing import Any

import numpy as np

from keras_rlkit.environments.adapters.step import Step

# Bounds are often computed in another precision than observations.
ROUNDING = 1e-4

# So many episodes that all look alike are no coincidence.
EPISODES = 3


class ObservationWatch:
    """Notes what is wrong with the observations that pass by.

    Args:
        space: Space of one environment's observation.
        first: First observations, [num_envs, ...].

    Attributes:
        not_finite: What was NaN or infinite, or `None`.
        outside: What was outside the space, or `None`.
        largest: Largest absolute value.
    """

    def __init__(self, space: Any, first: np.ndarray):
        self.not_finite: str | None = None
        self.outside: str | None = None
        self.largest = 0.0
        self._low, self._high = (np.float64(bound) for bound in _bounds(space))
        self._lowest, self._highest = self._low, self._high
        if np.issubdtype(space.dtype, np.floating):
            with np.errstate(over="ignore"):
                self._lowest = self._low - ROUNDING * (1 + np.abs(self._low))
                self._highest = self._high + ROUNDING * (1 + np.abs(self._high))
        # Of each environment: episodes begun, those that began with what the
        # one before ended with, and those that didn't stand still meanwhile.
        self._begun, self._repeated, self._moved = np.zeros((3, len(first)))
        self._before = self._shown = first
        self._look("a first observation", first)

    def step(self, step: Step) -> None:
        """Take one step of all environments."""
        reward = step.reward[step.valid]
        if self.not_finite is None and not np.isfinite(reward).all():
            self.not_finite = f"a step brought the reward {reward.sum()}"
        self._look("an observation", step.next_observation)
        begun, final, acted_on = ~step.valid, self._shown, self._before
        if step.observation is not step.next_observation:
            self._look("a first observation", step.observation)
            begun = step.terminated | step.truncated
            final, acted_on = step.next_observation, self._shown
        for row in np.flatnonzero(begun):
            first = step.observation[row]
            self._begun[row] += 1
            self._repeated[row] += np.array_equal(final[row], first)
            self._moved[row] += not np.array_equal(acted_on[row], first)
        self._before, self._shown = self._shown, step.observation

    @property
    def false_ends(self) -> int:
        """Ends of episodes that only showed the next one's beginning."""
        alike = (self._begun >= EPISODES) & (self._repeated == self._begun)
        return int(self._repeated[alike & (self._moved > 0)].sum())

    def _look(self, name: str, observation: np.ndarray) -> None:
        largest = np.abs(observation).max(initial=0)
        self.largest = max(self.largest, float(largest))
        finite = np.isfinite(observation)
        if self.not_finite is None and not finite.all():
            self.not_finite = f"a value of {name} was {observation[~finite][0]}"
        if self.outside is not None:
            return
        out = (observation < self._lowest) | (observation > self._highest)
        if out.any():
            place = tuple(np.argwhere(out)[0])
            low, high = (
                np.broadcast_to(bound, observation.shape)[place]
                for bound in (self._low, self._high)
            )
            self.outside = (
                f"a value of {name} was {observation[place]}, where the "
                f"space goes from {low:g} to {high:g}"
            )


def _bounds(space: Any) -> tuple[Any, Any]:
    if hasattr(space, "low"):
        return space.low, space.high
    start = getattr(space, "start", 0)
    if hasattr(space, "nvec"):
        return start, start + space.nvec - 1
    # `MultiBinary` has an `n` too, its size.
    return start, start + (space.n if space.shape == () else 2) - 1
