"""What both callbacks share that collect for on-policy learning."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.callbacks.collector import Collector, check_reward_range
from keras_rlkit.callbacks.model_outputs import (
    evaluation_of,
    policy_output_shape,
)
from keras_rlkit.callbacks.normalized_inputs import input_of
from keras_rlkit.callbacks.partner_checks import (
    check_buffer,
    check_distribution,
    check_model,
    check_policy,
    check_state,
)
from keras_rlkit.callbacks.policy_shapes import (
    check_policy_shape,
    shape_of_actions,
)
from keras_rlkit.callbacks.reward_normalization import RewardNormalization
from keras_rlkit.environments import Step
from keras_rlkit.layers import RunningNormalization
from keras_rlkit.replay import EpisodeBuffer
from keras_rlkit.utils import RecurrentInput
from keras_rlkit.utils.nests import take_rows


class OnPolicyCollector(Collector):
    """Fills a buffer anew at the beginning of each epoch.

    Args:
        environment: Any gymnasium environment or vector environment with
            `Discrete` or one-dimensional `Box` actions.
        buffer: `EpisodeBuffer` that the data set draws from.
        policy: Called as `policy(model, observations, step)`, gives actions.
        reward_range: `(low, high)` to clip the stored rewards to, or `None`.
        reward_scale: Number that the stored rewards are multiplied by.
        seed: Seed of the environment's first reset.
        normalize_rewards: Whether rewards are divided by the running standard
            deviation of the discounted return.
    """

    def __init__(
        self,
        environment: Any,
        buffer: EpisodeBuffer,
        policy: Callable,
        reward_range: tuple[float, float] | None = None,
        reward_scale: float = 1.0,
        seed: int | None = None,
        normalize_rewards: bool = False,
    ):
        super().__init__(environment, policy, seed)
        self.buffer = buffer
        self.reward_range = check_reward_range(reward_range)
        self.reward_scale = float(reward_scale)
        self.normalize_rewards = bool(normalize_rewards)
        self._check_buffer()
        self._reward_normalization = None
        if self.normalize_rewards:
            self._reward_normalization = RewardNormalization(
                self.environment.num_envs, buffer.discount
            )

    def set_model(self, model: keras.Model) -> None:
        """Take the model that `fit` trains."""
        strategy = getattr(model, "distribute_strategy", None)
        if strategy is not None and strategy.num_replicas_in_sync > 1:
            raise ValueError(
                "On-policy `fit` trains on one device: replicas would read "
                "the data of an epoch before it is collected. Received: a "
                "model made under a `tf.distribute` strategy of "
                f"{strategy.num_replicas_in_sync} replicas. Make it outside of "
                "the strategy's scope."
            )
        super().set_model(model)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Check that the model fits the environment."""
        super().on_train_begin(logs)
        self._check_model()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Collect this epoch's data."""
        super().on_epoch_begin(epoch, logs)
        self._start()
        self.buffer.clear()
        self._collect()
        scale = 1.0
        if self._reward_normalization is not None:
            scale = self._reward_normalization.scale()
        self.buffer.finish(evaluation_of(self.model), scale)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the scores; let normalising layers take what was seen.

        Not before: the epoch's log-probabilities and values are those of the
        statistics that the policy acted with.
        """
        super().on_epoch_end(epoch, logs)
        layers = [
            layer
            for layer in self.model._flatten_layers()
            if isinstance(layer, RunningNormalization)
        ]
        if layers:
            observations, targets = self.buffer.samples()[:2]
            if isinstance(observations, RecurrentInput):
                # What stands behind a sequence's end was seen already.
                observations = take_rows(
                    observations.observation, targets["mask"]
                )
            for layer in layers:
                layer.update(input_of(layer, observations))

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs; see `Collector.get_state`."""
        normalization = self._reward_normalization
        return {
            **super().get_state(),
            "reward_normalization": (
                None if normalization is None else normalization.get_state()
            ),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state; see `Collector.set_state`."""
        super().set_state(state)
        saved = state["reward_normalization"]
        if (saved is None) != (self._reward_normalization is None):
            raise ValueError(
                "`normalize_rewards` must be what it was when the state was "
                f"saved. Received: normalize_rewards={saved is None}."
            )
        if saved is not None:
            self._reward_normalization.set_state(saved)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Show the scores in the progress bar."""
        self._write_logs(logs)

    def _begin_episodes(self, observation: np.ndarray) -> None:
        super()._begin_episodes(observation)
        if self._reward_normalization is not None:
            self._reward_normalization.begin_episodes()

    def _collect(self) -> None:
        raise NotImplementedError

    def _play(self, wanted: np.ndarray | bool = True) -> Step:
        """Play one step; store and score the rows that are wanted."""
        mask = self.environment.action_mask
        action = self._act(self.environment_steps)
        # The environment clips; what is stored is the action as it was drawn,
        # which its log-probability belongs to.
        observation, step = self._step(action, wanted)
        reward = step.reward * self.reward_scale
        if self.reward_range is not None:
            reward = np.clip(reward, *self.reward_range)
        counted = step.valid & wanted
        if self._reward_normalization is not None:
            self._reward_normalization.add(
                reward, step.terminated | step.truncated, counted
            )
        self._store(
            observation, mask, action, reward, step.terminated, step, counted
        )
        return step

    def _check_buffer(self) -> None:
        space = self.environment.action_space
        check_buffer(("returns", "advantages"), self.buffer, self)
        # Of what gives advantages, the model says what may have acted.
        draws = getattr(self.buffer, "gives", None) == "returns"
        check_policy(self.policy, space, draws=draws)
        expected = {
            "num_envs": self.environment.num_envs,
            "observation_shape": self.environment.observation_shape,
            "action_shape": shape_of_actions(space),
        }
        received = {name: getattr(self.buffer, name) for name in expected}
        if received["observation_shape"] is None:
            del expected["observation_shape"], received["observation_shape"]
        if expected != received:
            raise ValueError(
                f"`buffer` must fit the environment: {expected}. Received: "
                f"{received}. Make it with `EpisodeBuffer.for_environment`."
            )

    def _check_model(self) -> None:
        space = self.environment.action_space
        check_model(self.buffer, self.model, self)
        learns_off_policy = getattr(self.model, "learns_off_policy", False)
        check_policy(self.policy, space, draws=not learns_off_policy)
        check_state(self.buffer, self.model)
        check_distribution(space, self.model)
        advantages = getattr(self.buffer, "gives", None) == "advantages"
        if advantages and evaluation_of(self.model) is None:
            raise ValueError(
                "`lambda_` needs a model with a value, such as `ActorCritic`. "
                f"Received: lambda_={self.buffer.lambda_} and a model with "
                f"output shape {policy_output_shape(self.model)}. Use "
                "`lambda_=None` for plain returns."
            )
        shape = policy_output_shape(self.model)
        if shape is not None:
            check_policy_shape(space, shape)
