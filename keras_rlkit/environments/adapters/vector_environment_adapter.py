"""The interface of `VectorAdapter` for a `gymnasium.vector.VectorEnv`."""

from typing import Any

import numpy as np

from keras_rlkit.environments.adapters.step import Step
from keras_rlkit.environments.adapters.vector_adapter import VectorAdapter
from keras_rlkit.environments.atari.atari_environment import AtariEnvironment

# What is read of an info.
INFO_KEYS = ("lives", "final_obs", "final_info", "episode", "r")


class _Options(dict):
    """Options that a wrapper still finds after the environment inside it.

    gymnasium's environments take `reset_mask` out, and its
    `RecordEpisodeStatistics` then forgets the episodes of all rows.
    """

    def pop(self, key: str, *default: Any) -> Any:
        """Return an option and keep it."""
        return self.get(key, *default)


class VectorEnvironmentAdapter(VectorAdapter):
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
        info = _joined(info)
        next_observation = observation = self._batch(observation)
        terminated = self._rows("terminated", terminated, bool)
        truncated = self._rows("truncated", truncated, bool)
        self.lives = next_lives = self._read_lives(info)
        ended = terminated | truncated
        valid = np.ones(self.num_envs, bool)
        episode_return = None
        if self._autoreset_mode == "NextStep":
            valid = ~self._ended
            self._ended = ended
        if ended.any():
            episode_return = self._read_return(info, ended)
            if self._autoreset_mode == "SameStep":
                next_observation = self._replace_rows(
                    observation, ended, _final_observation(info, ended)
                )
                final = info.get("final_info", {})
                next_lives = _with_rows(
                    next_lives, ended, self._read_lives(final)
                )
                told = self._read_return(final, ended)
                episode_return = told if told is not None else episode_return
            elif self._autoreset_mode == "Disabled":
                observation = self._restart(observation, ended)
        return Step(
            next_observation,
            self._rows("reward", reward, np.float64),
            terminated,
            truncated,
            valid,
            observation,
            self.lives,
            next_lives,
            episode_return,
        )

    def _restart(
        self, observation: np.ndarray, ended: np.ndarray
    ) -> np.ndarray:
        first, info = self.environment.reset(
            options=_Options(reset_mask=ended.copy())
        )
        self.lives = _with_rows(
            self.lives, ended, self._read_lives(_joined(info))
        )
        return self._replace_rows(observation, ended, first)

    def _replace_rows(
        self, array: np.ndarray, rows: np.ndarray, source: Any
    ) -> np.ndarray:
        # "K" keeps the memory layout: images may be channels-last views.
        replaced = array.copy(order="K")
        for row in np.flatnonzero(rows):
            replaced[row] = self._cast(source[row], copy=False)
        return replaced

    def _own_state(self) -> dict[str, Any]:
        return {**super()._own_state(), "ended": self._ended}

    def _restore_own_state(self, state: dict[str, Any]) -> None:
        super()._restore_own_state(state)
        self._ended = np.array(state["ended"])

    def _batch(self, observation: Any) -> np.ndarray:
        return self._cast(observation, copy=self._reuses_arrays)

    def _read_lives(self, info: dict[str, Any]) -> np.ndarray | None:
        info = _joined(info)
        lives = info.get("lives")
        if lives is None:
            return None
        lives = self._rows("lives", lives, np.int64)
        if "_lives" in info:
            lives[~info["_lives"]] = -1
        return lives

    def _read_return(
        self, info: dict[str, Any], ended: np.ndarray
    ) -> np.ndarray | None:
        episode = info.get("episode")
        if not isinstance(episode, dict) or "r" not in episode:
            return None
        returns = self._rows("episode", episode["r"], np.float64)
        return np.where(ended & info.get("_episode", ended), returns, np.nan)

    def _frame_of_first(self, rendered: Any) -> np.ndarray:
        # gymnasium returns a frame per environment; others may paint only one.
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


def _joined(info: Any) -> dict[str, Any]:
    """Undo `DictInfoToList`: arrays, and which rows they tell of."""
    if isinstance(info, dict):
        return info
    joined = {}
    for key in INFO_KEYS:
        told = np.array([key in row for row in info])
        if not told.any():
            continue
        joined[key] = [row.get(key, -1) for row in info]
        joined[f"_{key}"] = told
        if any(isinstance(value, dict) for value in joined[key]):
            joined[key] = _joined([row.get(key, {}) for row in info])
    return joined


def _final_observation(info: dict[str, Any], ended: np.ndarray) -> Any:
    # Rows of environments that go on hold None or arbitrary numbers.
    told = info.get("_final_obs", True)
    if "final_obs" not in info or not np.all(told | ~ended):
        raise ValueError(
            "`environment` must put the last observation of an episode "
            'into `info["final_obs"]` in SAME_STEP mode. Received: '
            f"info with the keys {sorted(info)}."
        )
    return info["final_obs"]


def _with_rows(
    lives: np.ndarray | None, rows: np.ndarray, source: np.ndarray | None
) -> np.ndarray | None:
    """Return lives with some rows from elsewhere, -1 where nobody tells."""
    if lives is None and source is None:
        return None
    return np.where(
        rows,
        -1 if source is None else source,
        -1 if lives is None else lives,
    )
