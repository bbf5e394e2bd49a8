"""Collects experience between gradient steps, for off-policy learning."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_rlkit.callbacks.collector import Collector, check_reward_range
from keras_rlkit.callbacks.model_outputs import policy_output_shape
from keras_rlkit.callbacks.partner_checks import (
    check_buffer,
    check_model,
    check_policy,
    check_state,
)
from keras_rlkit.callbacks.time_split import TimeSplit
from keras_rlkit.environments import Step
from keras_rlkit.models.fit_data import check_steps
from keras_rlkit.utils import (
    check_non_negative_integer,
    check_positive_number,
)


class CollectSteps(Collector):
    """Plays a fixed number of environment steps for each gradient step.

    Give it to `fit` together with `buffer.dataset(batch_size)` and
    `steps_per_epoch`, a multiple of `steps_per_execution`. Before the
    first gradient step it fills the buffer with `warmup_steps` steps of random
    actions, or more if a batch needs more; those that the model forbids by
    -inf aren't played. From then on it plays
    `steps_per_update` environment steps for every gradient step that was
    taken, whatever `steps_per_execution` is and however many environments
    step together: what doesn't divide evenly is carried over.

    The policy is given the number of environment steps since the warm-up, so
    that a schedule of it begins where the random actions end.

    If the buffer samples by priorities, it is also told the TD error of every
    transition that the model was trained on, before anything new is played.

    Args:
        environment: Any gymnasium environment or vector environment with
            discrete actions.
        buffer: `ReplayBuffer` that the data set draws from.
        policy: Called as `policy(model, observations, step)`, gives actions.
        steps_per_update: Positive number, environment steps (of all
            environments together) for each gradient step.
        warmup_steps: Non-negative integer, environment steps of random actions
            before the first gradient step. Defaults to 0.
        reward_range: `(low, high)` to clip the stored rewards to, or `None`.
            Scores in the logs are never clipped. Defaults to `None`.
        terminal_on_life_loss: Whether a lost life is stored as terminal, in
            environments that tell `lives`. The episode and its score go on.
            Defaults to `False`.
        seed: Seed of the environment's first reset and of random actions.
        log_time: Whether to log where the time of each epoch went. Defaults to
            `False`.

    Logs:
        `episode_return` (true score), `episode_length` (environment steps),
        `environment_steps`, and `epsilon` where the policy has it; in the
        progress bar, in `History`, and for callbacks listed after it. With
        `log_time`, shares in [0, 1] of the epoch's wall time, which add up to
        1: `time_environment`; `time_acting`, the policy; `time_storing`, the
        buffer; `time_sampling`, waiting for batches; `time_training`, all the
        rest.

    Raises:
        ValueError: If an argument is out of its range, or environment, buffer
            and model don't fit each other; in `fit`, if `steps_per_epoch` is
            missing.

    Example:

    ```python
    import gymnasium

    environment = gymnasium.make("CartPole-v1")
    replay = rlk.replay.ReplayBuffer.for_environment(environment, 1_000)
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    agent = rlk.models.DoubleDQN(network)
    agent.compile(optimizer="adam", loss="huber")
    agent.fit(
        replay.dataset(batch_size=32),
        epochs=2,
        steps_per_epoch=10,
        callbacks=[
            rlk.callbacks.CollectSteps(
                environment,
                replay,
                rlk.policies.EpsilonGreedy(0.1),
                steps_per_update=4,
                warmup_steps=100,
            )
        ],
        verbose=0,
    )
    ```

    Reference:
        Mnih et al., Human-level control through deep reinforcement learning,
        Methods, https://doi.org/10.1038/nature14236
    """

    def __init__(
        self,
        environment: Any,
        buffer: Any,
        policy: Callable,
        steps_per_update: float,
        warmup_steps: int = 0,
        reward_range: tuple[float, float] | None = None,
        terminal_on_life_loss: bool = False,
        seed: int | None = None,
        log_time: bool = False,
    ):
        super().__init__(environment, policy, seed)
        self.buffer = buffer
        self.log_time = log_time
        self.steps_per_update = check_positive_number(
            "steps_per_update", steps_per_update
        )
        self.warmup_steps = check_non_negative_integer(
            "warmup_steps", warmup_steps
        )
        self.reward_range = check_reward_range(reward_range)
        self.terminal_on_life_loss = terminal_on_life_loss
        self._steps_of_warmup = 0
        self._owed = 0.0
        self._last_batch = -1
        self._time = TimeSplit()
        self._check_buffer()

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Fill the buffer, once."""
        if "steps" in (self.params or {}):
            check_steps("steps_per_epoch", self.params["steps"], "fit")
        super().on_train_begin(logs)
        self._check_model()
        executions, feed = self.model.steps_per_execution, self.buffer.feed
        feed.batches_per_execution = executions
        if self.buffer.has_priorities:
            self.model.keep_td_errors(feed.largest_batch * executions)
        self._start()
        while self.environment_steps < self.warmup_steps or not feed.ready:
            self._steps_of_warmup += self._collect(self._random_action())

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Begin counting this epoch's batches."""
        super().on_epoch_begin(epoch, logs)
        self._last_batch = -1
        self._time.begin()
        self.buffer.feed.take_seconds_waited()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Play what the gradient steps since the last call are worth."""
        self._time.add("sampling", self.buffer.feed.take_seconds_waited())
        if self.buffer.has_priorities:
            with self._time.part("storing"):
                self.buffer.update_priorities(*self.model.take_td_errors())
        gradient_steps = batch - self._last_batch
        self._last_batch = batch
        self._owed += gradient_steps * self.steps_per_update
        # One step number for the whole call: schedules cost more than steps.
        step = self.environment_steps - self._steps_of_warmup
        while self._owed >= self.environment.num_envs:
            with self._time.part("acting"):
                action = self._act(step)
            self._owed -= self._collect(action)
        self._write_logs(logs)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Let batches be drawn one by one again."""
        self.buffer.feed.batches_per_execution = 1

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs; see `Collector.get_state`."""
        return {
            **super().get_state(),
            "steps_of_warmup": self._steps_of_warmup,
            "owed": self._owed,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state; see `Collector.set_state`."""
        super().set_state(state)
        self._steps_of_warmup = state["steps_of_warmup"]
        self._owed = state["owed"]

    def _begin_episodes(self, observation: np.ndarray) -> None:
        super()._begin_episodes(observation)
        self.buffer.end_trajectories()

    def _collect(self, action: np.ndarray) -> int:
        """Play one step and store it; return how many environments played."""
        lives, mask = self.environment.lives, self.environment.action_mask
        with self._time.part("environment"):
            observation, step = self._step(action)
        reward = step.reward
        if self.reward_range is not None:
            reward = np.clip(reward, *self.reward_range)
        terminated = step.terminated | self._life_lost(lives, step)
        with self._time.part("storing"):
            self._store(
                observation, mask, action, reward, terminated, step, step.valid
            )
        return int(np.count_nonzero(step.valid))

    def _write_logs(self, logs: dict | None) -> None:
        super()._write_logs(logs)
        if self.log_time and logs is not None:
            logs.update(self._time.shares())

    def _life_lost(self, lives: np.ndarray | None, step: Step) -> np.ndarray:
        if not self.terminal_on_life_loss:
            return np.zeros_like(step.terminated)
        if lives is None or step.lives is None:
            raise ValueError(
                "`terminal_on_life_loss` needs an environment that tells "
                "`lives` in its info. Received: terminal_on_life_loss=True "
                f"with {self.environment.environment}."
            )
        ended = step.terminated | step.truncated
        # -1 stands for a row that doesn't tell.
        return step.valid & ~ended & (step.lives >= 0) & (step.lives < lives)

    def _check_buffer(self) -> None:
        check_buffer(("transitions",), self.buffer, self)
        check_policy(self.policy, self.environment.action_space)
        expected = (
            self.environment.num_envs,
            self.environment.observation_shape,
        )
        received = (self.buffer.num_envs, self.buffer.observation_shape)
        if expected != received:
            raise ValueError(
                "`buffer` must fit the environment: "
                f"num_envs={expected[0]}, observation_shape={expected[1]}. "
                f"Received: num_envs={received[0]}, "
                f"observation_shape={received[1]}. Make it with "
                "`ReplayBuffer.for_environment`."
            )

    def _check_model(self) -> None:
        check_model(self.buffer, self.model, self)
        check_state(self.buffer, self.model)
        expected = self.environment.num_actions
        # A subclassed model need not tell.
        shape = policy_output_shape(self.model)
        if shape is not None and shape[-1] != expected:
            raise ValueError(
                "The model must have one output for each action of the "
                f"environment, {expected}. Received: a model with output "
                f"shape {shape}."
            )
        if self.buffer.has_priorities and not hasattr(
            self.model, "keep_td_errors"
        ):
            raise ValueError(
                "The model must give its TD errors back for a buffer with "
                "priorities, as `DoubleDQN` does through `keep_td_errors` and "
                f"`take_td_errors`. Received: {type(self.model).__name__}."
            )
