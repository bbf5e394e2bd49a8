"""What all callbacks that collect experience share."""

import numbers
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.callbacks.acting_model import ActingModel
from keras_rlkit.callbacks.environment_players import (
    check_plays_alone,
    get_policy_state,
    register_player,
    set_policy_state,
)
from keras_rlkit.callbacks.episode_statistics import EpisodeStatistics
from keras_rlkit.callbacks.missing_scores import prepare_score_readers
from keras_rlkit.environments import Step, as_vector
from keras_rlkit.environments.copies.call_counts import Calls, count_calls
from keras_rlkit.policies.acting import act
from keras_rlkit.policies.random_actions import (
    forbidden_actions,
    random_actions,
)
from keras_rlkit.utils import make_generator


class Collector(keras.callbacks.Callback):
    """Plays in an environment during `fit` and logs the episodes' scores.

    Subclasses decide when to play and what to do with a step. The environment
    lives on between calls of `fit`: an episode goes on where it stood. Where
    somebody else has played in it since, new episodes begin, and those that
    were under way are cut and have no score. Nobody else may play in it during
    `fit`.

    Args:
        environment: Any gymnasium environment or vector environment.
        policy: Called as `policy(model, observations, step)`, and with masks
            as a fourth argument where the environment tells them.
        seed: Seed of the environment's first reset and of random actions.

    Logs:
        `episode_return`, `episode_length`: means over the episodes that ended
        in this epoch. In an epoch in which none has, they are missing:
        `History` then holds `None`, and `CSVLogger` writes `NA`.
        `environment_steps`: steps since the beginning, over all environments.
        `epsilon`: where the policy has it.
    """

    # What the logs lack in some epochs.
    score_names = ("episode_return", "episode_length")

    def __init__(
        self, environment: Any, policy: Callable, seed: int | None = None
    ):
        super().__init__()
        self.environment = as_vector(environment)
        self.policy = policy
        self.environment_steps = 0
        self._seed = seed
        self._random = make_generator(seed)
        self._observation: Any = None
        self._acting = ActingModel(self.environment.num_envs)
        self._statistics = EpisodeStatistics(self.environment.num_envs)
        self._returns: list[float] = []
        self._lengths: list[int] = []
        # All resets and steps of the environment, and how many there were
        # when this callback played last.
        self._calls: list[Calls] = []
        self._known_calls = 0
        self._may_begin_anew = True

    def set_model(self, model: keras.Model) -> None:
        """Take the model that `fit` trains."""
        super().set_model(model)
        register_player(model, self)
        prepare_score_readers(self)
        self._may_begin_anew = True

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Check that no other callback plays in the environment.

        Raises:
            ValueError: If one does.
        """
        check_plays_alone(self)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Begin new means of the episodes' scores."""
        # Episodes of a warm-up belong to no epoch.
        self._statistics.take()
        self._returns, self._lengths = [], []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Put the scores where `History`, `CSVLogger` and others read."""
        self._write_logs(logs)

    def settle(self, seed: int) -> bool:
        """Bring everything into a state that `get_state` can tell.

        Where the environment's state can't be copied, new episodes begin, and
        those under way have no score.

        Args:
            seed: Seed of the new episodes.

        Returns:
            Whether new episodes have begun.
        """
        if self._observation is None:
            return False
        observation = self.environment.settle(seed)
        self._note_calls()
        if observation is None:
            return False
        self._begin_episodes(observation)
        return True

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue exactly.

        Call it right after `settle`. Policies that have a `get_state` of their
        own are part of it; the buffer is not.

        Returns:
            Nested dictionaries of numbers, strings and arrays.
        """
        begun = self._observation is not None
        return {
            "environment": self.environment.get_state() if begun else None,
            "observation": self._observation,
            "policy": get_policy_state(self.policy),
            "carried": self._acting.get_state(),
            "environment_steps": self.environment_steps,
            "random": self._random.bit_generator.state,
            "statistics": self._statistics.get_state(),
            "returns": self._returns,
            "lengths": self._lengths,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned.

        Args:
            state: Dictionary from `get_state` of a callback with the same
                arguments.

        Raises:
            ValueError: If the state is of another kind of environment.
        """
        self._observation = state["observation"]
        if self._observation is not None:
            self._observation = self.environment.as_observation(
                self._observation
            )
            observation = self.environment.set_state(state["environment"])
            if observation is not None:
                self._observation = observation
            self._note_calls()
        set_policy_state(self.policy, state["policy"])
        self._acting.set_state(state["carried"])
        self.environment_steps = state["environment_steps"]
        self._random.bit_generator.state = state["random"]
        self._statistics.set_state(state["statistics"])
        self._returns = list(state["returns"])
        self._lengths = list(state["lengths"])

    def _start(self) -> None:
        """Reset the environment, unless an episode is under way."""
        self._acting.of(self.model)
        if not self._calls:
            self._calls = count_calls(self.environment.environment)
        if self._observation is None:
            self._observation = self.environment.reset(seed=self._seed)
        elif self._is_disturbed():
            if not self._may_begin_anew:
                raise self._disturbance()
            self._begin_episodes(self.environment.reset())
        self._may_begin_anew = False
        self._note_calls()
        self._check_masks()

    def _begin_episodes(self, observation: np.ndarray) -> None:
        """Go on with new episodes; those under way have no score."""
        self._take_scores()
        self._observation = observation
        self._acting.restart()
        self._statistics = EpisodeStatistics(self.environment.num_envs)

    def _note_calls(self) -> None:
        self._known_calls = sum(calls.count for calls in self._calls)

    def _is_disturbed(self) -> bool:
        """Whether somebody else has played since this callback did."""
        return self._known_calls != sum(calls.count for calls in self._calls)

    def _disturbance(self) -> ValueError:
        name = type(self).__name__
        return ValueError(
            f"`environment` must be left to {name} during `fit`. Received: "
            f"environment={self.environment.environment}, which something else "
            f"has reset or stepped since {name} last acted in it, so that its "
            "next step wouldn't follow from what it saw. Evaluate, film and "
            "look in an environment of its own, such as `gymnasium.make` gives."
        )

    def _step(
        self, action: np.ndarray, scored: np.ndarray | bool = True
    ) -> tuple[np.ndarray, Step]:
        """Step the environment; return what was acted on, and what came.

        Only rows that are `scored` count in the episodes' scores.
        """
        if self._is_disturbed():
            raise self._disturbance()
        observation = self._observation
        step = self.environment.step(action)
        self._note_calls()
        self._acting.go_on(observation, step)
        self._observation = step.to_act_on(observation)
        self._statistics.update(
            step.reward,
            step.terminated | step.truncated,
            step.valid & scored,
            step.episode_return,
        )
        self.environment_steps += int(np.count_nonzero(step.valid))
        return observation, step

    def _act(self, step: int) -> Any:
        """Ask the policy what to do next."""
        return act(
            self.policy,
            self._acting.of(self.model),
            self._observation,
            step,
            self.environment.action_mask,
        )

    def _store(
        self,
        observation: Any,
        action_mask: np.ndarray | None,
        action: Any,
        reward: np.ndarray,
        terminated: np.ndarray,
        step: Step,
        valid: np.ndarray,
    ) -> None:
        """Hand one step over to the buffer."""
        masks = dict(self._acting.states)
        if action_mask is not None:
            masks["action_mask"] = action_mask
            masks["next_action_mask"] = step.next_action_mask
        self.buffer.add(
            observation,
            action,
            reward,
            terminated,
            step.truncated,
            step.next_observation,
            valid,
            **masks,
        )

    def _check_masks(self) -> None:
        """Raise unless the buffer stores the masks that there are."""
        tells = self.environment.action_mask is not None
        # A collector of one's own may have no buffer.
        buffer = getattr(self, "buffer", None)
        if buffer is None or getattr(buffer, "action_masks", False) == tells:
            return
        if tells:
            raise ValueError(
                "`buffer` must store the masks of allowed actions that the "
                "environment tells: what is forbidden would be learned from "
                "as if it could be done. Received: action_masks=False. Make "
                "the buffer with `action_masks=True`, or ignore the masks with "
                "`rlk.environments.as_vector(environment, action_masks=False)`."
            )
        raise ValueError(
            "`environment` must tell masks of allowed actions for a buffer "
            'with `action_masks`, in `info["action_mask"]` or under that key '
            "of a dictionary of observations. Received: "
            f"{self.environment.environment}, which doesn't."
        )

    def _random_action(self) -> np.ndarray:
        forbidden = forbidden_actions(
            self._acting.of(self.model),
            self._observation,
            self.environment.num_actions,
            self.environment.action_mask,
        )
        return random_actions(self._random, forbidden)

    def _take_scores(self) -> None:
        returns, lengths = self._statistics.take()
        self._returns += returns
        self._lengths += lengths

    def _write_logs(self, logs: dict | None) -> None:
        self._take_scores()
        if logs is None:
            return
        if self._returns:
            logs["episode_return"] = float(np.mean(self._returns))
            logs["episode_length"] = float(np.mean(self._lengths))
        logs["environment_steps"] = self.environment_steps
        epsilon = getattr(self.policy, "epsilon", None)
        if epsilon is not None:
            logs["epsilon"] = epsilon


def check_reward_range(reward_range: Any) -> tuple[float, float] | None:
    """Return `(low, high)` as floats, or raise if they are no such thing.

    Args:
        reward_range: What the caller gave; `None` is returned as it is.

    Raises:
        ValueError: If it is not `None` and not two numbers, the first below
            the second.
    """
    if reward_range is None:
        return None
    pair = reward_range if isinstance(reward_range, (tuple, list)) else ()
    real = all(isinstance(value, numbers.Real) for value in pair)
    if len(pair) != 2 or not real or not pair[0] < pair[1]:
        raise ValueError(
            "`reward_range` must be two numbers (low, high), low below high, "
            f"or None. Received: reward_range={reward_range!r}."
        )
    return float(pair[0]), float(pair[1])
