"""What both memories have in common."""

from typing import Any

import numpy as np

from keras_rlkit.replay.storage.array_checks import check_dtype
from keras_rlkit.replay.storage.step_checks import Step
from keras_rlkit.utils import (
    check_fraction,
    check_positive_integer,
    make_generator,
)


class Buffer:
    """Takes an agent's steps and gives them to `fit`.

    Subclasses implement `__len__`, `_check`, `_keep`, `get_state` and
    `set_state`, say what they give, and have a `feed` for their data sets.

    Args:
        capacity: Positive integer, transitions to keep.
        observation_dtype: NumPy dtype of observations.
        num_envs: Positive integer N, environments that are stepped together.
        discount: Number in [0, 1], discount factor gamma of one environment
            step.
        num_actions: Number of discrete actions, or `None` not to check them.
        seed: Non-negative integer, or `None` to follow
            `keras.utils.set_random_seed`.
    """

    #: What models learn from that it belongs to.
    gives: str
    _data_sets: str

    def __init__(
        self,
        capacity: int,
        observation_dtype: str | np.dtype,
        num_envs: int,
        discount: float,
        num_actions: int | None,
        seed: int | None,
    ):
        self.capacity = check_positive_integer("capacity", capacity)
        self.observation_dtype = check_dtype(observation_dtype)
        self.num_envs = check_positive_integer("num_envs", num_envs)
        self.discount = check_fraction("discount", discount)
        if num_actions is not None:
            num_actions = check_positive_integer("num_actions", num_actions)
        self.num_actions = num_actions
        self._generator = make_generator(seed)

    def __len__(self) -> int:
        """Return how many transitions there are to learn from."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Say what it holds, and what `fit` takes instead of it."""
        return (
            f"<{type(self).__name__} of {self.gives} with {len(self):,} of "
            f"{self.capacity:,} transitions; `fit` takes its data: "
            f"{self._data_sets}>"
        )

    def add(
        self,
        observation: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        next_observation: np.ndarray,
        valid: np.ndarray | None = None,
    ) -> None:
        """Store one step of every environment.

        Args:
            observation: Array [N, *observation_shape], acted on.
            action: Integers [N], or floats [N, *action_shape] where actions
                are continuous, as the policy drew them.
            reward: Finite numbers [N].
            terminated: Booleans [N], terminal state reached.
            truncated: Booleans [N], episode cut by a limit.
            next_observation: Array [N, *observation_shape], what followed; at
                an episode's end its true final observation, not the first one
                of the next.
            valid: Booleans [N], `False` for a row in which nothing happened
                since the environment only reset itself; such rows are not
                stored. Defaults to all `True`.

        Raises:
            ValueError: If an argument has the wrong shape, dtype or values.
                Nothing is stored then, and nothing stored is lost.
        """
        self._keep(
            self._check(
                (
                    observation,
                    action,
                    reward,
                    terminated,
                    truncated,
                    next_observation,
                    valid,
                )
            )
        )

    def _check(self, step: tuple[Any, ...]) -> Step:
        """Return the arguments of `add` as arrays, or raise."""
        raise NotImplementedError

    def _keep(self, step: Step) -> None:
        """Store a step that was checked."""
        raise NotImplementedError

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue exactly."""
        raise NotImplementedError

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned."""
        raise NotImplementedError
