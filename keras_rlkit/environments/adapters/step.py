"""What one step of several environments brought."""

from typing import Any, NamedTuple

import keras
import numpy as np


class Step(NamedTuple):
    """What one step of `num_envs` environments brought, one row for each.

    Where no episode ended, `next_observation` and `observation` are the same
    object. Observations are arrays, or nests of arrays as the space is one.

    Attributes:
        next_observation: [num_envs, ...], what followed the action: at an
            episode's end its true final observation.
        reward: float64 [num_envs], as the environment gave it.
        terminated: bool [num_envs], whether the task ended here.
        truncated: bool [num_envs], whether the episode was cut off here.
        valid: bool [num_envs]. In a row of `False` the environment ignored the
            action and only started its next episode: there is no transition.
        observation: [num_envs, ...], what to act on next: the first
            observation of the next episode where one has ended. An environment
            that starts its next episode a step later (`NEXT_STEP`) shows the
            final observation until then.
        lives: int64 [num_envs], lives left in `observation`, -1 in a row that
            doesn't tell; `None` if no row does.
        next_lives: As `lives`, of `next_observation`.
        episode_return: float64 [num_envs], true score of the episode that
            ended here, where the environment tells it in `info["episode"]` as
            gymnasium's `RecordEpisodeStatistics` does, NaN elsewhere; `None`
            if no row tells.
        action_mask: bool [num_envs, A], the actions that are allowed in
            `observation`; `None` where the environment doesn't tell. In a row
            whose next action is ignored, all are.
        next_action_mask: As `action_mask`, of `next_observation`.
    """

    next_observation: Any
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    valid: np.ndarray
    observation: Any
    lives: np.ndarray | None
    next_lives: np.ndarray | None = None
    episode_return: np.ndarray | None = None
    action_mask: np.ndarray | None = None
    next_action_mask: np.ndarray | None = None

    def to_act_on(self, before: Any) -> Any:
        """Return the observations that a policy is asked about.

        `observation`, but not the final one that an environment shows until
        its next episode: what is done there is ignored, and it may be NaN or
        allow no action. The observation acted on before stands in for it.

        Args:
            before: [num_envs, ...], what this step has acted on.
        """
        ended = self.terminated | self.truncated
        if self.observation is not self.next_observation or not ended.any():
            return self.observation

        def shown(now: np.ndarray, before: np.ndarray) -> np.ndarray:
            now = now.copy(order="K")
            now[ended] = before[ended]
            return now

        return keras.tree.map_structure(shown, self.observation, before)
