"""Notes what is wrong with the observations that pass by."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.environments.adapters.step import Step
from keras_rlkit.utils import leaf_spaces

# Bounds are often computed in another precision than observations.
ROUNDING = 1e-4

# So many episodes that all look alike are no coincidence.
EPISODES = 3


class ObservationWatch:
    """Notes what is wrong with the observations that pass by.

    Args:
        space: Space of one environment's observation.
        first: First observations, [num_envs, ...], or a nest of such.

    Attributes:
        not_finite: What was NaN or infinite, or `None`.
        outside: What was outside the space, or `None`.
    """

    def __init__(self, space: Any, first: Any):
        self.not_finite: str | None = None
        self.outside: str | None = None
        self._leaves = [_Leaf(*leaf) for leaf in leaf_spaces(space)]
        arrays = keras.tree.flatten(first)
        # Of each environment: episodes begun, those that began with what the
        # one before ended with, and those that didn't stand still meanwhile.
        self._begun, self._repeated, self._moved = np.zeros((3, len(arrays[0])))
        self._before = self._shown = arrays
        self._look("a first observation", arrays)

    @property
    def largest(self) -> dict[str, float]:
        """Largest absolute value of each array, by its path."""
        return {leaf.path: leaf.largest for leaf in self._leaves}

    def step(self, step: Step) -> None:
        """Take one step of all environments."""
        reward = step.reward[step.valid]
        if self.not_finite is None and not np.isfinite(reward).all():
            self.not_finite = f"a step brought the reward {reward.sum()}"
        shown = keras.tree.flatten(step.observation)
        following = keras.tree.flatten(step.next_observation)
        self._look("an observation", following)
        begun, final, acted_on = ~step.valid, self._shown, self._before
        if step.observation is not step.next_observation:
            self._look("a first observation", shown)
            begun = step.terminated | step.truncated
            final, acted_on = following, self._shown
        for row in np.flatnonzero(begun):
            self._begun[row] += 1
            self._repeated[row] += _alike(final, shown, row)
            self._moved[row] += not _alike(acted_on, shown, row)
        self._before, self._shown = self._shown, shown

    @property
    def false_ends(self) -> int:
        """Ends of episodes that only showed the next one's beginning."""
        alike = (self._begun >= EPISODES) & (self._repeated == self._begun)
        return int(self._repeated[alike & (self._moved > 0)].sum())

    def _look(self, name: str, arrays: list[np.ndarray]) -> None:
        for leaf, array in zip(self._leaves, arrays, strict=True):
            not_finite, outside = leaf.look(name, array)
            self.not_finite = self.not_finite or not_finite
            self.outside = self.outside or outside


class _Leaf:
    """What is known of one array of the observations."""

    def __init__(self, path: str, space: Any):
        self.path = path
        self.largest = 0.0
        self._low, self._high = (np.float64(bound) for bound in _bounds(space))
        self._lowest, self._highest = self._low, self._high
        if np.issubdtype(space.dtype, np.floating):
            with np.errstate(over="ignore"):
                self._lowest = self._low - ROUNDING * (1 + np.abs(self._low))
                self._highest = self._high + ROUNDING * (1 + np.abs(self._high))

    def look(
        self, name: str, observation: np.ndarray
    ) -> tuple[str | None, str | None]:
        """Return what isn't finite, and what is outside the space."""
        self.largest = max(
            self.largest, float(np.abs(observation).max(initial=0))
        )
        if self.path:
            name = f"{name}, {self.path}"
        not_finite = outside = None
        finite = np.isfinite(observation)
        if not finite.all():
            value = observation[~finite][0]
            not_finite = f"a value of {name} was {value}"
        out = (observation < self._lowest) | (observation > self._highest)
        if out.any():
            place = tuple(np.argwhere(out)[0])
            low, high = (
                np.broadcast_to(bound, observation.shape)[place]
                for bound in (self._low, self._high)
            )
            outside = (
                f"a value of {name} was {observation[place]}, where the "
                f"space goes from {low:g} to {high:g}"
            )
        return not_finite, outside


def _alike(one: list[np.ndarray], other: list[np.ndarray], row: int) -> bool:
    pairs = zip(one, other, strict=True)
    return all(np.array_equal(a[row], b[row]) for a, b in pairs)


def _bounds(space: Any) -> tuple[Any, Any]:
    if hasattr(space, "low"):
        return space.low, space.high
    start = getattr(space, "start", 0)
    if hasattr(space, "nvec"):
        return start, start + space.nvec - 1
    # `MultiBinary` has an `n` too, its size.
    return start, start + (space.n if space.shape == () else 2) - 1
