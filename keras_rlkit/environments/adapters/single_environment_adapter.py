"""The interface of `VectorAdapter` for one `gymnasium.Env`."""

from typing import Any

import numpy as np

from keras_rlkit.environments.adapters.action_batches import is_discrete
from keras_rlkit.environments.adapters.step import Step
from keras_rlkit.environments.adapters.vector_adapter import VectorAdapter


class SingleEnvironmentAdapter(VectorAdapter):
    """One `gymnasium.Env`, without the cost of a vector environment."""

    def __init__(self, environment: Any):
        super().__init__(
            environment,
            1,
            environment.observation_space,
            environment.action_space,
        )

    def step(self, actions: Any) -> Step:
        """Act once; see `VectorAdapter.step`."""
        action = self._actions(actions)[0]
        if is_discrete(self.action_space):
            action = int(action)
        observation, reward, terminated, truncated, info = (
            self.environment.step(action)
        )
        next_observation = observation = self._batch(observation)
        terminated = self._rows("terminated", terminated, bool)
        truncated = self._rows("truncated", truncated, bool)
        episode_return = None
        self.lives = next_lives = self._read_lives(info)
        if terminated[0] or truncated[0]:
            episode_return = self._read_return(info)
            observation, info = self.environment.reset()
            observation = self._batch(observation)
            self.lives = self._read_lives(info)
        return Step(
            next_observation,
            self._rows("reward", reward, np.float64),
            terminated,
            truncated,
            np.ones(1, bool),
            observation,
            self.lives,
            next_lives,
            episode_return,
        )

    def _batch(self, observation: Any) -> np.ndarray:
        # Always a copy: an environment may hand out the array that it works on.
        return self._cast(observation, copy=True)[np.newaxis]

    def _read_lives(self, info: dict[str, Any]) -> np.ndarray | None:
        lives = info.get("lives")
        return None if lives is None else self._rows("lives", lives, np.int64)

    def _read_return(self, info: dict[str, Any]) -> np.ndarray | None:
        episode = info.get("episode")
        if not isinstance(episode, dict) or "r" not in episode:
            return None
        return self._rows("episode", episode["r"], np.float64)

    def _frame_of_first(self, rendered: Any) -> np.ndarray:
        return np.array(rendered)
