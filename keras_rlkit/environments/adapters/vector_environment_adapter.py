"""The interface of `VectorAdapter` for a `gymnasium.vector.VectorEnv`."""

import operator
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_rlkit.environments.adapters.action_masks import (
    mask_batch,
    rows_apart,
)
from keras_rlkit.environments.adapters.step import Step
from keras_rlkit.environments.adapters.vector_adapter import VectorAdapter
from keras_rlkit.environments.atari.atari_environment import AtariEnvironment
from keras_rlkit.utils import MASK_KEY

# What is read of an info.
INFO_KEYS = ("lives", "final_obs", "final_info", "episode", "r", MASK_KEY)


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

    def __init__(self, environment: Any, action_masks: bool = True):
        super().__init__(
            environment,
            int(environment.num_envs),
            environment.single_observation_space,
            environment.single_action_space,
            action_masks,
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

    def reset(self, seed: int | None = None) -> Any:
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
        info = self._told(info)
        observation, mask = self._arrays.take_mask(observation)
        next_observation = observation = self._batch(observation)
        self.action_mask = next_mask = self._read_mask(mask, info)
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
                final = info.get("final_info", {})
                next_observation, next_mask = self._replace_rows(
                    observation,
                    next_mask,
                    ended,
                    _final_observation(info, ended),
                    final,
                )
                next_lives = _with_rows(
                    next_lives, ended, self._read_lives(final)
                )
                told = self._read_return(final, ended)
                episode_return = told if told is not None else episode_return
            elif self._autoreset_mode == "Disabled":
                observation = self._restart(observation, ended)
            elif self.action_mask is not None:
                # What is done there is ignored.
                self.action_mask = self.action_mask | ended[:, None]
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
            self.action_mask,
            next_mask,
        )

    def _restart(self, observation: Any, ended: np.ndarray) -> Any:
        first, info = self.environment.reset(
            options=_Options(reset_mask=ended.copy())
        )
        info = self._told(info)
        self.lives = _with_rows(self.lives, ended, self._read_lives(info))
        observation, self.action_mask = self._replace_rows(
            observation, self.action_mask, ended, _rows_of(first), info
        )
        return observation

    def _replace_rows(
        self,
        observation: Any,
        mask: np.ndarray | None,
        rows: np.ndarray,
        source: Any,
        info: dict[str, Any],
    ) -> tuple[Any, np.ndarray | None]:
        """Return observations and masks with some rows from elsewhere."""
        # "K" keeps the memory layout: images may be channels-last views.
        observation = keras.tree.map_structure(
            lambda array: array.copy(order="K"), observation
        )
        mask = None if mask is None else mask.copy()
        for row in np.flatnonzero(rows):
            one, own_mask = self._arrays.take_mask(source[row])
            keras.tree.map_structure(
                lambda array, value, row=row: operator.setitem(
                    array, row, value
                ),
                observation,
                self._arrays.cast(one, copy=False),
            )
            if mask is not None:
                if own_mask is None and MASK_KEY in info:
                    own_mask = _rows_of(info[MASK_KEY])[row]
                if own_mask is None:
                    raise ValueError(
                        "`environment` must tell `action_mask` with every "
                        "observation, also with the last one of an episode, "
                        'in `info["final_info"]`. Received: an info with the '
                        f"keys {sorted(info)}."
                    )
                mask[row] = mask_batch(own_mask, self.action_space, 1)[0]
        return observation, mask

    def _own_state(self) -> dict[str, Any]:
        return {**super()._own_state(), "ended": self._ended}

    def _restore_own_state(self, state: dict[str, Any]) -> None:
        super()._restore_own_state(state)
        self._ended = np.array(state["ended"])

    def _batch(self, observation: Any) -> Any:
        return self._arrays.cast(observation, copy=self._reuses_arrays)

    def _told(self, info: Any) -> dict[str, Any]:
        info = _joined(info)
        if isinstance(info.get(MASK_KEY), list):
            # Not the parts of one mask, as in a single environment.
            info = {**info, MASK_KEY: rows_apart(info[MASK_KEY])}
        return info

    def _read_lives(self, info: dict[str, Any]) -> np.ndarray | None:
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
        if key in (MASK_KEY, "final_obs"):
            # Each row's is an array, or a nest of arrays.
            joined[key] = rows_apart([row.get(key) for row in info])
            continue
        if any(isinstance(value, dict) for value in joined[key]):
            joined[key] = _joined([row.get(key, {}) for row in info])
    return joined


def _rows_of(nest: Any) -> Sequence[Any]:
    """Return a batch such that `[row]` gives the row of a nest."""
    return nest if isinstance(nest, np.ndarray) else _Rows(nest)


class _Rows(Sequence):
    """The rows of a nest of arrays with one row for each environment."""

    def __init__(self, nest: Any):
        self._nest = nest

    def __len__(self) -> int:
        return len(keras.tree.flatten(self._nest)[0])

    def __getitem__(self, row: int) -> Any:
        return keras.tree.map_structure(lambda array: array[row], self._nest)


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
