"""The best action."""

from typing import Any

import numpy as np

from keras_rlkit.policies.action_scores import (
    for_each_choice,
    model_output,
)
from keras_rlkit.utils.nests import num_rows


class Greedy:
    """Chooses the action with the highest Q value, or the most probable one.

    For evaluation, and as the policy that value based learning arrives at.

    Example:

    ```python
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    policy = rlk.policies.Greedy()
    actions = policy(network, np.zeros((8, 4), "float32"), step=0)  # [8]
    ```

    Reference:
        Sutton and Barto, Reinforcement Learning: An Introduction, second
        edition, section 2.2, http://incompleteideas.net/book/the-book.html
    """

    actions = "discrete"
    # Whether actions are drawn from the model's own probabilities.
    draws = False

    def __call__(
        self, model: Any, observations: Any, step: int, action_mask: Any = None
    ) -> np.ndarray:
        """Choose an action for each observation.

        Args:
            model: Keras model that gives Q values or logits, [N, A]. Of
                several outputs, the first one counts, or in a dictionary the
                one under `"policy"`, `"logits"` or `"q_values"`.
            observations: NumPy array of observations, [N, ...], or a nest of
                arrays, as the model takes them.
            step: Environment steps taken so far. Not used.
            action_mask: Booleans [N, A], the actions that are allowed, or
                `None` for all. Defaults to `None`.

        Returns:
            int64 array of actions, [N], or [N, K] where the output is a list
            of K arrays. The first action wins a tie.

        Raises:
            ValueError: If the model's output isn't [N, A], holds NaN, or has
                no finite best action in some row.
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
        return for_each_choice(
            lambda scores: np.argmax(scores, axis=1),
            self,
            output,
            size,
            action_mask,
        )

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue exactly: nothing.

        Returns:
            Empty dictionary.
        """
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned.

        Args:
            state: Dictionary from `get_state`.
        """
