"""The best action mostly, a random one now and then."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.policies.action_scores import (
    for_each_choice,
    model_output,
)
from keras_rlkit.policies.random_actions import random_actions
from keras_rlkit.utils import check_fraction, make_generator
from keras_rlkit.utils.nests import num_rows

# Schedules compute in float32, which may step over 0 or 1 by a rounding.
_ROUNDING = 1e-6


class EpsilonGreedy:
    """Chooses a random action with probability epsilon, else the best one.

    Each row decides for itself. A random action is any of the actions that
    neither a mask nor the model, by -inf, forbids, with equal probability, the
    best one included.

    Args:
        epsilon: Probability of a random action. A number in [0, 1], or a
            `keras.optimizers.schedules.LearningRateSchedule` or any function
            of the environment step that gives one. A schedule is evaluated
            once for each new `step`.
        seed: Non-negative integer, or `None` to follow
            `keras.utils.set_random_seed`.

    Raises:
        ValueError: If `epsilon` is neither a number in [0, 1] nor callable,
            or `seed` is not a non-negative integer.

    Example:

    ```python
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    epsilon = keras.optimizers.schedules.PolynomialDecay(1.0, 500_000, 0.1)
    policy = rlk.policies.EpsilonGreedy(epsilon, seed=0)
    observations = np.zeros((8, 4), "float32")
    actions = policy(network, observations, step=250_000)  # [8]
    policy.epsilon  # 0.55
    ```

    Reference:
        Mnih et al., Human-level control through deep reinforcement learning,
        Methods and extended data table 1, https://doi.org/10.1038/nature14236
    """

    actions = "discrete"
    # Whether actions are drawn from the model's own probabilities.
    draws = False

    def __init__(
        self,
        epsilon: float | Callable[[int], Any],
        seed: int | None = None,
    ):
        if not callable(epsilon):
            epsilon = check_fraction("epsilon", epsilon)
        self._schedule = epsilon
        self._step = None
        self._epsilon = None
        self._generator = make_generator(seed)

    @property
    def epsilon(self) -> float:
        """Probability of a random action at the step last acted on.

        Before the first call, the probability at step 0.
        """
        return self._epsilon_at(0 if self._step is None else self._step)

    def __call__(
        self, model: Any, observations: Any, step: int, action_mask: Any = None
    ) -> np.ndarray:
        """Choose an action for each observation.

        Args:
            model: Keras model that gives Q values, [N, A]; -inf forbids an
                action. Of several outputs, the first one counts, or in a
                dictionary the one under `"policy"`, `"logits"` or
                `"q_values"`. It is called where every row takes a random
                action too: which ones are forbidden may depend on the state.
            observations: NumPy array of observations, [N, ...], or a nest of
                arrays, as the model takes them.
            step: Environment steps taken so far, the argument of the
                schedule.
            action_mask: Booleans [N, A], the actions that are allowed, or
                `None` for all. Defaults to `None`.

        Returns:
            int64 array of actions, [N], or [N, K] where the output is a list
            of K arrays. The first of the best actions wins a tie.

        Raises:
            ValueError: If the schedule gives a number outside [0, 1] by more
                than a rounding, or the model's output isn't [N, A], holds
                NaN, or has no finite best action in some row.
        """
        output = model_output(self, model, observations)
        return self.choose(output, num_rows(observations), step, action_mask)

    def choose(
        self, output: Any, size: int, step: int, action_mask: Any = None
    ) -> np.ndarray:
        """Choose actions by what a model gave.

        Args:
            output: Its output for the actions, [N, A], or a list of such
                for several choices.
            size: Number of observations N.
            step: Environment steps taken so far.
            action_mask: As in calling the policy.

        Returns:
            As calling the policy.
        """
        epsilon = self._epsilon_at(step)

        def one_choice(scores: np.ndarray) -> np.ndarray:
            explore = self._generator.random(size) < epsilon
            # For every row: the stream doesn't depend on who explores.
            drawn = random_actions(self._generator, scores == -np.inf)
            return np.where(explore, drawn, np.argmax(scores, axis=1))

        return for_each_choice(one_choice, self, output, size, action_mask)

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue exactly.

        Returns:
            Dictionary that JSON can hold: the state of the generator, and the
            step last acted on.
        """
        return {
            "generator": self._generator.bit_generator.state,
            "step": self._step,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned.

        Args:
            state: Dictionary from `get_state`.
        """
        self._generator.bit_generator.state = state["generator"]
        if state["step"] is not None:
            self._epsilon_at(state["step"])

    def _epsilon_at(self, step):
        if step != self._step:
            self._epsilon = self._evaluate(step)
            self._step = step
        return self._epsilon

    def _evaluate(self, step):
        if not callable(self._schedule):
            return self._schedule
        value = float(keras.ops.convert_to_numpy(self._schedule(step)))
        if not -_ROUNDING <= value <= 1 + _ROUNDING:
            raise ValueError(
                "`epsilon` must be a schedule that stays in [0, 1]. "
                f"Received: epsilon={value} at step {step}. "
                "Choose its first and last value in that range."
            )
        return min(max(value, 0.0), 1.0)
