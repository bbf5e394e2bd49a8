"""Plays whole episodes without learning, to see how good a model is."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.callbacks.players import (
    get_policy_state,
    register_player,
    set_policy_state,
)
from keras_rlkit.environments import as_vector
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
            from the beginning: Keras' callbacks that watch a value, such as
            `ModelCheckpoint`, would keep a NaN for ever. Defaults to 1.
        seed: Non-negative integer to begin each evaluation with the same
            reset, or `None` to let the environment's randomness run on.

    Logs:
        `evaluation_return`, the mean true score; between evaluations the
        last one.

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

    def __init__(
        self,
        environment: Any,
        policy: Callable,
        episodes: int,
        every_epochs: int = 1,
        seed: int | None = None,
    ):
        super().__init__()
        self.environment = as_vector(environment)
        self.policy = policy
        self.episodes = check_positive_integer("episodes", episodes)
        self.every_epochs = check_positive_integer("every_epochs", every_epochs)
        self.seed = (
            None if seed is None else check_non_negative_integer("seed", seed)
        )
        self._last: float | None = None

    def set_model(self, model: keras.Model) -> None:
        """Take the model that `fit` trains."""
        super().set_model(model)
        register_player(model, self)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Evaluate if it is time."""
        if self._last is None or (epoch + 1) % self.every_epochs == 0:
            self._last = float(np.mean(self.evaluate(self.model)))
        if logs is not None:
            logs["evaluation_return"] = self._last

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
            True scores of the episodes, float64 [episodes].
        """
        environment = self.environment
        observation = environment.reset(seed=self.seed)
        count = environment.num_envs
        share = self.episodes // count + (
            np.arange(count) < self.episodes % count
        )
        played = np.zeros(count, np.int64)
        score = np.zeros(count)
        returns: list[float] = []
        steps = 0
        while len(returns) < self.episodes:
            step = environment.step(self.policy(model, observation, steps))
            steps += count
            observation = step.observation
            score += np.where(step.valid, step.reward, 0.0)
            ended = step.valid & (step.terminated | step.truncated)
            returns += score[ended & (played < share)].tolist()
            played += ended
            score[ended] = 0.0
        return np.array(returns)
