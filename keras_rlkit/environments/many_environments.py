"""The interface of `VectorAdapter` for a `gymnasium.vector.VectorEnv`."""

from typing import Any

import numpy as np

from keras_rlkit.environments.atari_environment import AtariEnvironment
from keras_rlkit.environments.vector_adapter import Step, VectorAdapter


class ManyEnvironments(VectorAdapter):
    """A `gymnasium.vector.VectorEnv` in any autoreset mode."""

    def __init__(self, environment: Any):
        super().__init__(
            environment,
            int(environment.num_envs),
            environment.single_observation_space,
            environment.single_action_space,
        )
        batch_size = getattr(environment.unwrapped, "batch_size", self.num_envs)
        if batch_size != self.num_envs:
            raise ValueError(
                "`environment` must step all its environments at once. "
                f"Received: batch_size={batch_size} with "
                f"num_envs={self.num_envs}."
            )
        self._autoreset_mode = _autoreset_mode(environment)
        self._reuses_arrays = not _returns_new_arrays(environment)
        self._ended = np.zeros(self.num_envs, bool)

    def reset(self, seed: int | None = None) -> np.ndarray:
        """Start a new episode everywhere; see `VectorAdapter.reset`."""
        observation = super().reset(seed)
        # An `AsyncVectorEnv` without shared memory still makes, after a reset,
        # the fake step that was due before it.
        if getattr(self.environment.unwrapped, "shared_memory", True):
            self._ended = np.zeros(self.num_envs, bool)
        return observation

    def step(self, actions: Any) -> Step:
        """Act once everywhere; see `VectorAdapter.step`."""
        observation, reward, terminated, truncated, info = (
            self.environment.step(self._actions(actions))
        )
        next_observation = observation = self._batch(observation)
        terminated = np.array(terminated, bool)
        truncated = np.array(truncated, bool)
        self.lives = self._read_lives(info)
        ended = terminated | truncated
        valid = np.ones(self.num_envs, bool)
        if self._autoreset_mode == "NextStep":
            valid = ~self._ended
            self._ended = ended
        elif ended.any():
            if self._autoreset_mode == "SameStep":
                next_observation = _replace_rows(
                    observation, ended, self._final_observation(info)
                )
            else:
                observation = self._restart(observation, ended)
        return Step(
            next_observation,
            np.array(reward, np.float64),
            terminated,
            truncated,
            valid,
            observation,
            self.lives,
        )

    def _final_observation(self, info: dict[str, Any]) -> Any:
        # Rows of environments that go on hold None or arbitrary numbers.
        if "final_obs" not in info:
            raise ValueError(
                "`environment` must put the last observation of an episode "
                'into `info["final_obs"]` in SAME_STEP mode. Received: '
                f"info with the keys {sorted(info)}."
            )
        return info["final_obs"]

    def _restart(
        self, observation: np.ndarray, ended: np.ndarray
    ) -> np.ndarray:
        first, info = self.environment.reset(
            options={"reset_mask": ended.copy()}
        )
        if self.lives is not None:
            lives = self._read_lives(info)
            self.lives[ended] = -1 if lives is None else lives[ended]
        return _replace_rows(observation, ended, first)

    def _own_state(self) -> dict[str, Any]:
        return {**super()._own_state(), "ended": self._ended}

    def _restore_own_state(self, state: dict[str, Any]) -> None:
        super()._restore_own_state(state)
        self._ended = np.array(state["ended"])

    def _batch(self, observation: Any) -> np.ndarray:
        return self._cast(observation, copy=self._reuses_arrays)

    def _read_lives(self, info: dict[str, Any]) -> np.ndarray | None:
        lives = info.get("lives")
        if lives is None:
            return None
        lives = np.array(lives, np.int64)
        if "_lives" in info:
            lives[~info["_lives"]] = -1
        return lives

    def _frame_of_first(self, rendered: Any) -> np.ndarray:
        # gymnasium returns a frame per environment; Atari here only the first.
        if isinstance(rendered, np.ndarray) and rendered.ndim == 3:
            return np.array(rendered)
        return np.array(rendered[0])


def _autoreset_mode(environment: Any) -> str:
    """Name of the moment in which a vector environment starts again."""
    from gymnasium.vector import AutoresetMode

    # The attribute comes first: ale-py writes the metadata of all its
    # environments into one shared dictionary, where the last one made wins.
    mode = getattr(environment.unwrapped, "autoreset_mode", None)
    if mode is None:
        mode = environment.metadata.get(
            "autoreset_mode", AutoresetMode.NEXT_STEP
        )
    return AutoresetMode(mode).value


def _returns_new_arrays(environment: Any) -> bool:
    """Whether a vector environment never writes into an array it returned."""
    if isinstance(environment, AtariEnvironment):
        return True
    if type(environment).__module__ == "ale_py.vector_env":
        return True
    # gymnasium's own vector environments say so; their wrappers don't.
    return getattr(environment, "copy", False) is True


def _replace_rows(array: np.ndarray, rows: np.ndarray, source: Any):
    # "K" keeps the memory layout: images may be channels-last views.
    replaced = array.copy(order="K")
    for row in np.flatnonzero(rows):
        replaced[row] = source[row]
    return replaced
