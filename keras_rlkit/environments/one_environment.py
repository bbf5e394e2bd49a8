"""The interface of `VectorAdapter` for one `gymnasium.Env`."""

from typing import Any

import numpy as np

from keras_rlkit.environments.vector_adapter import Step, VectorAdapter


class OneEnvironment(VectorAdapter):
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
        observation, reward, terminated, truncated, info = (
            self.environment.step(int(action) if self._discrete else action)
        )
        next_observation = observation = self._batch(observation)
        if terminated or truncated:
            observation, info = self.environment.reset()
            observation = self._batch(observation)
        self.lives = self._read_lives(info)
        return Step(
            next_observation,
            np.array(reward, np.float64).reshape(1),
            np.array([terminated], bool),
            np.array([truncated], bool),
            np.ones(1, bool),
            observation,
            self.lives,
        )

    def _batch(self, observation: Any) -> np.ndarray:
        # Always a copy: an environment may hand out the array that it works on.
        return self._cast(observation, copy=True)[np.newaxis]

    def _read_lives(self, info: dict[str, Any]) -> np.ndarray | None:
        lives = info.get("lives")
        return None if lives is None else np.array([lives], np.int64)

    def _frame_of_first(self, rendered: Any) -> np.ndarray:
        return np.array(rendered)
