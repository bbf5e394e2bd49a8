"""Collects a number of steps for each epoch, for on-policy learning."""

from collections.abc import Callable
from typing import Any

from keras_rlkit.callbacks.on_policy_collector import OnPolicyCollector
from keras_rlkit.replay import EpisodeBuffer
from keras_rlkit.utils import check_positive_integer


class CollectRollout(OnPolicyCollector):
    """Plays a number of steps at the beginning of each epoch.

    Give it to `fit` together with `buffer.dataset()` or `buffer.batches()`.
    Episodes go on from one epoch to the next; where an epoch ends in the
    middle of one, what is still to come counts with the value of the state
    reached.

    Args:
        environment: Any gymnasium environment or vector environment with
            `Discrete` or one-dimensional `Box` actions.
        buffer: `EpisodeBuffer` that the data set draws from.
        policy: Called as `policy(model, observations, step)`, gives actions:
            `Categorical` or `Gaussian`.
        steps_per_epoch: Positive integer, environment steps of all
            environments together, rounded up to whole steps of all of them.
            Steps in which an environment only resets itself don't count.
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
        ValueError: If an argument is out of its range, or environment, buffer
            and model don't fit each other.

    Example:

    ```python
    import gymnasium

    environment = gymnasium.make_vec("CartPole-v1", num_envs=4)
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, discount=0.99, lambda_=0.95, standardize=True
    )
    agent = rlk.models.ActorCritic(
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]),
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]),
        clip=0.2,
    )
    agent.compile("adam")
    agent.fit(
        buffer.batches(minibatches=4, passes=2),
        epochs=2,
        callbacks=[
            rlk.callbacks.CollectRollout(
                environment,
                buffer,
                rlk.policies.Categorical(),
                steps_per_epoch=64,
            )
        ],
        verbose=0,
    )
    ```

    Reference:
        Schulman et al., Proximal Policy Optimization Algorithms, section 5,
        https://arxiv.org/abs/1707.06347
    """

    def __init__(
        self,
        environment: Any,
        buffer: EpisodeBuffer,
        policy: Callable,
        steps_per_epoch: int,
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
        self.steps_per_epoch = check_positive_integer(
            "steps_per_epoch", steps_per_epoch
        )

    def _collect(self) -> None:
        while len(self.buffer) < self.steps_per_epoch:
            self._play()
