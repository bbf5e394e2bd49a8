"""Plays whole episodes without learning, to see how good a model is."""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.callbacks.environment_players import (
    get_policy_state,
    register_player,
    set_policy_state,
)
from keras_rlkit.callbacks.episode_statistics import true_returns
from keras_rlkit.callbacks.missing_scores import prepare_score_readers
from keras_rlkit.callbacks.partner_checks import check_policy
from keras_rlkit.environments import as_vector
from keras_rlkit.policies.acting import act
from keras_rlkit.policies.carried_state import acting_model, go_on
from keras_rlkit.utils import (
    check_non_negative_integer,
    check_positive_integer,
)


class EvaluatePolicy(keras.callbacks.Callback):
    """Logs the mean return of whole episodes every few epochs.

    Give it an environment of its own. Each environment of a vector plays its
    share of the episodes to the end, so that short episodes don't count more
    often than long ones.

    Args:
        environment: Any gymnasium environment or vector environment.
        policy: Called as `policy(model, observations, step)`; `step` counts
            the environment steps of the evaluation.
        episodes: Positive integer, episodes to play each time.
        every_epochs: Positive integer, epochs from one evaluation to the next.
            The first epoch is evaluated as well, so that there is a score
            from the beginning. Defaults to 1.
        seed: Non-negative integer to begin each evaluation with the same
            reset, or `None` to let the environment's randomness run on.
        max_steps: Positive integer, environment steps after which an episode
            ends for the evaluation although it goes on, as where a policy
            walks into a wall for ever. Its score is what it has brought so
            far. Defaults to 27,000, half an hour of an Atari game.

    Logs:
        `evaluation_return`, the mean true score, in the epochs that are
        evaluated. In others it is missing: `History` then holds `None`, and
        `CSVLogger` writes `NA`. `evaluation_unfinished`, how many episodes
        were ended by `max_steps`, where there were any; a warning says so.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    import gymnasium

    evaluation = rlk.callbacks.EvaluatePolicy(
        gymnasium.make("CartPole-v1"), rlk.policies.Greedy(), episodes=5
    )
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    evaluation.evaluate(network)  # five returns
    ```

    Reference:
        Machado et al., Revisiting the Arcade Learning Environment, section
        4, https://arxiv.org/abs/1709.06009
    """

    # What the logs lack in some epochs.
    score_names = ("evaluation_return", "evaluation_unfinished")

    def __init__(
        self,
        environment: Any,
        policy: Callable,
        episodes: int,
        every_epochs: int = 1,
        seed: int | None = None,
        max_steps: int = 27_000,
    ):
        super().__init__()
        self.environment = as_vector(environment)
        self.policy = policy
        check_policy(policy, self.environment.action_space)
        self.episodes = check_positive_integer("episodes", episodes)
        self.every_epochs = check_positive_integer("every_epochs", every_epochs)
        self.seed = (
            None if seed is None else check_non_negative_integer("seed", seed)
        )
        self.max_steps = check_positive_integer("max_steps", max_steps)
        self._last: float | None = None
        self._unfinished = 0

    def set_model(self, model: keras.Model) -> None:
        """Take the model that `fit` trains."""
        super().set_model(model)
        register_player(model, self)
        prepare_score_readers(self)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Evaluate if it is time."""
        if self._last is not None and (epoch + 1) % self.every_epochs:
            return
        self._last = float(np.mean(self.evaluate(self.model)))
        if logs is not None:
            logs["evaluation_return"] = self._last
            if self._unfinished:
                logs["evaluation_unfinished"] = self._unfinished

    def settle(self, seed: int) -> None:
        """Bring everything into a state that `get_state` can tell.

        Args:
            seed: Seed that the environment's randomness goes on from, where
                it can't be copied and evaluations have no seed of their own.
        """
        # With a seed too: running statistics survive each reset.
        self.environment.settle(seed)

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue exactly.

        Call it right after `settle`.

        Returns:
            Nested dictionaries of numbers, strings and arrays.
        """
        return {
            "environment": self.environment.get_state(),
            "policy": get_policy_state(self.policy),
            "last": self._last,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned.

        Args:
            state: Dictionary from `get_state` of a callback with the same
                arguments.
        """
        self.environment.set_state(state["environment"])
        set_policy_state(self.policy, state["policy"])
        self._last = state["last"]

    def evaluate(self, model: keras.Model) -> np.ndarray:
        """Play the episodes now.

        Args:
            model: Any model that the policy can act with.

        Returns:
            True scores of the episodes, float64 [episodes]: what the
            environment tells in `info["episode"]`, as gymnasium's
            `RecordEpisodeStatistics` does, else the sums of the rewards.
        """
        environment = self.environment
        observation = environment.reset(seed=self.seed)
        acting = acting_model(model, environment.num_envs)
        count = environment.num_envs
        share = self.episodes // count + (
            np.arange(count) < self.episodes % count
        )
        played = np.zeros(count, np.int64)
        score, length = np.zeros(count), np.zeros(count, np.int64)
        # Rows whose episode goes on although `max_steps` has ended it here.
        cut = np.zeros(count, bool)
        returns: list[float] = []
        steps = self._unfinished = 0
        while len(returns) < self.episodes:
            if cut[played < share].all():
                observation = environment.reset()
                acting = acting_model(model, environment.num_envs)
                score[:], length[:], cut[:] = 0.0, 0, False
            mask = environment.action_mask
            action = act(self.policy, acting, observation, steps, mask)
            step = environment.step(action)
            go_on(acting, observation, step)
            steps += count
            observation = step.to_act_on(observation)
            score += np.where(step.valid, step.reward, 0.0)
            length += step.valid
            ended = step.valid & (step.terminated | step.truncated)
            too_long = (length >= self.max_steps) & ~ended & ~cut
            scored = ((ended & ~cut) | too_long) & (played < share)
            scores = true_returns(score, step.episode_return)
            returns += scores[scored].tolist()
            self._unfinished += int(np.count_nonzero(scored & too_long))
            played += scored
            cut = (cut | too_long) & ~ended
            score[ended], length[ended] = 0.0, 0
        if self._unfinished:
            warnings.warn(
                f"{self._unfinished} of {self.episodes} evaluation episodes "
                f"were ended by `max_steps`, {self.max_steps} steps. Their "
                "scores are those until then. Give the environment a time "
                "limit, as `gymnasium.wrappers.TimeLimit`, or "
                "`EvaluatePolicy` another `max_steps`.",
                stacklevel=2,
            )
        return np.array(returns)
