"""The interface of `VectorAdapter` for one `gymnasium.Env`."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.environments.adapters.action_batches import action_row
from keras_rlkit.environments.adapters.step import Step
from keras_rlkit.environments.adapters.vector_adapter import VectorAdapter


class SingleEnvironmentAdapter(VectorAdapter):
    """One `gymnasium.Env`, without the cost of a vector environment."""

    def __init__(self, environment: Any, action_masks: bool = True):
        super().__init__(
            environment,
            1,
            environment.observation_space,
            environment.action_space,
            action_masks,
        )

    def step(self, actions: Any) -> Step:
        """Act once; see `VectorAdapter.step`."""
        action = action_row(self._actions(actions), self.action_space)
        observation, reward, terminated, truncated, info = (
            self.environment.step(action)
        )
        observation, mask = self._arrays.take_mask(observation)
        next_observation = observation = self._batch(observation)
        self.action_mask = next_mask = self._read_mask(mask, info)
        terminated = self._rows("terminated", terminated, bool)
        truncated = self._rows("truncated", truncated, bool)
        episode_return = None
        self.lives = next_lives = self._read_lives(info)
        if terminated[0] or truncated[0]:
            episode_return = self._read_return(info)
            observation, info = self.environment.reset()
            observation, mask = self._arrays.take_mask(observation)
            observation = self._batch(observation)
            self.action_mask = self._read_mask(mask, info)
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
            self.action_mask,
            next_mask,
        )

    def _batch(self, observation: Any) -> Any:
        # Always a copy: an environment may hand out the array that it works on.
        observation = self._arrays.cast(observation, copy=True)
        if isinstance(observation, np.ndarray):
            return observation[np.newaxis]
        return keras.tree.map_structure(
            lambda array: array[np.newaxis], observation
        )

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
