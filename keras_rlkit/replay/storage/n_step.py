"""Joins single steps into n-step transitions, at the time they are added."""

from typing import NamedTuple

import numpy as np


class Finished(NamedTuple):
    """Transitions that became complete, environments in order, oldest first.

    `environment` [M], `start` [M, k] and `end` [M, k] (numbers of the frames
    of the first and of the last observation), `action` [M], `reward` [M] (sum
    of the discounted rewards) and `discount` [M] (their product).
    """

    environment: np.ndarray
    start: np.ndarray
    end: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    discount: np.ndarray


class NStepAccumulator:
    """Holds, for each environment, the steps whose n-step window is open.

    Step t is complete once n steps have followed each other, or earlier where
    the trajectory ends:
    `R = r_t + g_t r_{t+1} + g_t g_{t+1} r_{t+2} + ...` with the steps'
    discounts g, and `discount = g_t g_{t+1} ...`, which is 0 where the last of
    them terminated.

    Args:
        num_envs: Number of environments N.
        n_step: Longest window n, in environment steps.
        stack: Number of frames k that make an observation.

    Reference:
        Sutton and Barto, Reinforcement Learning: An Introduction, section
        7.1, http://incompleteideas.net/book/the-book-2nd.html
    """

    def __init__(self, num_envs: int, n_step: int, stack: int):
        shape = (num_envs, n_step)
        # Open windows lie oldest first in columns 0 to count - 1.
        self.count = np.zeros(num_envs, np.int64)
        self.start = np.zeros(shape + (stack,), np.int64)
        self.action = np.zeros(shape, np.int32)
        self.reward = np.zeros(shape, np.float64)
        self.discount = np.zeros(shape, np.float64)
        self._column = np.arange(n_step)

    def push(
        self,
        valid: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        discount: np.ndarray,
        trajectory_end: np.ndarray,
    ) -> Finished:
        """Take one step of each valid environment.

        Args:
            valid: Boolean [N], the environments that really stepped.
            start: Frame numbers [N, k] of the observations acted on.
            end: Frame numbers [N, k] of the observations that followed.
            action: Integers [N].
            reward: Floats [N].
            discount: Floats [N], 0 where the step terminated.
            trajectory_end: Boolean [N], whether the step ends a trajectory.

        Returns:
            The transitions that this step completed.
        """
        stepped = np.nonzero(valid)[0]
        if len(self._column) == 1:
            # Complete at once: nothing is held.
            parts = start, end, action, reward, discount
            return Finished(stepped, *(part[stepped] for part in parts))
        newest = self.count[stepped]
        self.start[stepped, newest] = start[stepped]
        self.action[stepped, newest] = action[stepped]
        self.reward[stepped, newest] = 0.0
        self.discount[stepped, newest] = 1.0
        self.count[stepped] = newest + 1

        opened = (self._column < self.count[:, None]) & valid[:, None]
        self.reward += np.where(opened, self.discount * reward[:, None], 0.0)
        self.discount *= np.where(opened, discount[:, None], 1.0)

        full = self.count == len(self._column)
        done = opened & trajectory_end[:, None]
        done[:, 0] |= full & valid
        finished = self._take(done, end)

        self.count[valid & trajectory_end] = 0
        self._drop_oldest(valid & full & ~trajectory_end)
        return finished

    def cut(self, where: np.ndarray, end: np.ndarray) -> Finished:
        """Finish all open windows of some environments as truncated.

        Args:
            where: Boolean [N], the environments whose trajectory broke off.
            end: Frame numbers [N, k] of the last observations seen.

        Returns:
            The transitions that were open, with the shorter windows.
        """
        opened = (self._column < self.count[:, None]) & where[:, None]
        finished = self._take(opened, end)
        self.count[where] = 0
        return finished

    def oldest(self, default: int, frames: slice = slice(None)) -> int:
        """Return the smallest frame number that an open window needs.

        Args:
            default: What is returned where none needs any.
            frames: Which of the k frames count. Defaults to all.
        """
        if not self.count.any():
            return default
        opened = (self._column < self.count[:, None])[..., None]
        start = self.start[..., frames]
        needed = opened & (start >= 0)
        return int(start.min(where=needed, initial=default))

    def _take(self, done: np.ndarray, end: np.ndarray) -> Finished:
        environment, column = np.nonzero(done)
        return Finished(
            environment,
            self.start[environment, column],
            end[environment],
            self.action[environment, column],
            self.reward[environment, column],
            self.discount[environment, column],
        )

    def _drop_oldest(self, where: np.ndarray) -> None:
        rows = np.nonzero(where)[0]
        for array in self._arrays():
            array[rows, :-1] = array[rows, 1:]
        self.count[rows] -= 1

    def _arrays(self) -> tuple[np.ndarray, ...]:
        return self.start, self.action, self.reward, self.discount

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that `restore` takes."""
        return {
            "n_step_count": self.count,
            "n_step_start": self.start,
            "n_step_action": self.action,
            "n_step_reward": self.reward,
            "n_step_discount": self.discount,
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Set the open windows to those that `state` returned."""
        for name, array in self.state().items():
            array[...] = state[name]
