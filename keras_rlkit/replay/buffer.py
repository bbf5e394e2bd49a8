"""What both memories have in common."""

from typing import Any

import numpy as np

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
        num_envs: Positive integer N, environments that are stepped together.
        discount: Number in [0, 1], discount factor gamma of one environment
            step.
        seed: Non-negative integer, or `None` to follow
            `keras.utils.set_random_seed`.
    """

    #: What models learn from that it belongs to.
    gives: str
    _data_sets: str

    def __init__(
        self,
        capacity: int,
        num_envs: int,
        discount: float,
        seed: int | None,
    ):
        self.capacity = check_positive_integer("capacity", capacity)
        self.num_envs = check_positive_integer("num_envs", num_envs)
        self.discount = check_fraction("discount", discount)
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
        action_mask: np.ndarray | None = None,
        next_action_mask: np.ndarray | None = None,
        **state: Any,
    ) -> None:
        """Store one step of every environment.

        Args:
            observation: Array [N, *observation_shape], acted on, or a nest of
                arrays.
            action: Integers [N], or an array [N, *action_shape] or a nest of
                arrays where the buffer is made for such, as the policy drew
                them.
            reward: Finite numbers [N].
            terminated: Booleans [N], terminal state reached.
            truncated: Booleans [N], episode cut by a limit.
            next_observation: Array [N, *observation_shape], what followed; at
                an episode's end its true final observation, not the first one
                of the next.
            valid: Booleans [N], `False` for a row in which nothing happened
                since the environment only reset itself; such rows are not
                stored. Defaults to all `True`.
            action_mask: Booleans [N, A], the actions that were allowed in
                `observation`. Needed by a buffer with `action_masks`, and
                taken by no other.
            next_action_mask: Booleans [N, A], the actions that are allowed in
                `next_observation`. All may be forbidden where the episode
                terminated.
            **state: `state` and `next_state`, tuples of float32 arrays
                [N, units]: the states of a recurrent network in which it saw
                `observation` and `next_observation`. Needed by a buffer with
                `state_shape`, and taken by no other.

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
                ),
                action_mask,
                next_action_mask,
                **state,
            )
        )

    def _check(
        self, step: tuple[Any, ...], action_mask: Any, next_action_mask: Any
    ) -> Step:
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
