"""Collects whole episodes for each epoch, for on-policy learning."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_rlkit.callbacks.on_policy_collector import OnPolicyCollector
from keras_rlkit.replay import EpisodeBuffer
from keras_rlkit.utils import check_positive_integer


class CollectEpisodes(OnPolicyCollector):
    """Plays whole episodes at the beginning of each epoch.

    Give it to `fit` together with `buffer.dataset()` or `buffer.batches()`.
    Each environment plays its share of the episodes to the end, so that short
    episodes don't count more often than long ones. What an environment that is
    done plays on until the others are, is not learned from, but counts in
    `environment_steps`: with environments that take different times,
    fewer of them waste less.

    Args:
        environment: Any gymnasium environment or vector environment with
            `Discrete` or one-dimensional `Box` actions.
        buffer: `EpisodeBuffer` that the data set draws from.
        policy: Called as `policy(model, observations, step)`, gives actions:
            `Categorical` or `Gaussian`.
        episodes_per_epoch: Positive integer, episodes of all environments
            together.
        reward_range: `(low, high)` to clip the stored rewards to, or `None`.
            Scores in the logs are never clipped. Defaults to `None`.
        reward_scale: Number that the stored rewards are multiplied by, before
            any clipping. Defaults to 1.
        seed: Seed of the environment's first reset.
        normalize_rewards: Whether an epoch's rewards are divided, after the
            above, by the standard deviation that the discounted return has
            had so far, this epoch included (Engstrom et al. 2020, section 2):
            returns and values are then of a size near 1, whatever the
            environment's. Defaults to `False`.

    Logs:
        `episode_return` (true score), `episode_length` (environment steps) and
        `environment_steps`; in the progress bar, in `History`, and for
        callbacks listed after it.

    Raises:
        ValueError: If an argument is out of its range, if environment, buffer
            and model don't fit each other, or if an epoch's episodes are
            longer than the buffer.

    Example:

    ```python
    import gymnasium

    environment = gymnasium.make_vec("CartPole-v1", num_envs=4)
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, discount=0.99, standardize=True
    )
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("adam", loss=rlk.losses.PolicyGradientLoss())
    model.fit(
        buffer.batches(),
        epochs=2,
        callbacks=[
            rlk.callbacks.CollectEpisodes(
                environment,
                buffer,
                rlk.policies.Categorical(),
                episodes_per_epoch=4,
            )
        ],
        verbose=0,
    )
    ```

    Reference:
        Sutton and Barto, Reinforcement Learning: An Introduction, second
        edition, section 13.3, http://incompleteideas.net/book/the-book.html
    """

    def __init__(
        self,
        environment: Any,
        buffer: EpisodeBuffer,
        policy: Callable,
        episodes_per_epoch: int,
        reward_range: tuple[float, float] | None = None,
        reward_scale: float = 1.0,
        seed: int | None = None,
        normalize_rewards: bool = False,
    ):
        super().__init__(
            environment,
            buffer,
            policy,
            reward_range,
            reward_scale,
            seed,
            normalize_rewards,
        )
        self.episodes_per_epoch = check_positive_integer(
            "episodes_per_epoch", episodes_per_epoch
        )
        self._at_first_observation = np.ones(self.environment.num_envs, bool)

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs; see `Collector.get_state`."""
        return {
            **super().get_state(),
            "at_first_observation": self._at_first_observation,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state; see `Collector.set_state`."""
        super().set_state(state)
        self._at_first_observation = np.array(state["at_first_observation"])

    def _begin_episodes(self, observation: np.ndarray) -> None:
        super()._begin_episodes(observation)
        self._at_first_observation[:] = True

    def _collect(self) -> None:
        count = self.environment.num_envs
        if not self._at_first_observation.all():
            self._begin_episodes(self.environment.reset())
            self._note_calls()
        to_play = self.episodes_per_epoch // count + (
            np.arange(count) < self.episodes_per_epoch % count
        )
        while (to_play > 0).any():
            step = self._play(wanted=to_play > 0)
            ended = step.valid & (step.terminated | step.truncated)
            to_play -= ended
            self._at_first_observation = np.where(
                step.valid, ended, self._at_first_observation
            )
