"""An action drawn from the probabilities that the model gives."""

from typing import Any

import numpy as np

from keras_rlkit.policies.action_scores import (
    for_each_choice,
    model_output,
)
from keras_rlkit.utils import make_generator
from keras_rlkit.utils.nests import num_rows


class Categorical:
    """Draws each action with its probability, the softmax of the logits.

    The policy of policy gradient methods, whose network learns the logits.

    Args:
        seed: Non-negative integer, or `None` to follow
            `keras.utils.set_random_seed`.

    Raises:
        ValueError: If `seed` is not a non-negative integer.

    Example:

    ```python
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    policy = rlk.policies.Categorical(seed=0)
    actions = policy(network, np.zeros((8, 4), "float32"), step=0)  # [8]
    ```

    Reference:
        Sutton and Barto, Reinforcement Learning: An Introduction, second
        edition, section 13.1, http://incompleteideas.net/book/the-book.html;
        drawing by Gumbel noise: Maddison, Tarlow and Minka, A* Sampling,
        section 2, https://arxiv.org/abs/1411.0030
    """

    actions = "discrete"
    # Whether actions are drawn from the model's own probabilities.
    draws = True

    def __init__(self, seed: int | None = None):
        self._generator = make_generator(seed)

    def __call__(
        self, model: Any, observations: Any, step: int, action_mask: Any = None
    ) -> np.ndarray:
        """Draw an action for each observation.

        Args:
            model: Keras model that gives logits, [N, A]; -inf forbids an
                action. For a model that gives probabilities, put
                `keras.ops.log` behind it. Of several outputs, the first one
                counts, or in a dictionary the one under `"policy"`, else
                under `"logits"`.
            observations: NumPy array of observations, [N, ...], or a nest of
                arrays, as the model takes them.
            step: Environment steps taken so far. Not used.
            action_mask: Booleans [N, A], the actions that are allowed, or
                `None` for all. Defaults to `None`.

        Returns:
            int64 array of actions, [N], or [N, K] where the output is a list
            of K arrays of logits.

        Raises:
            ValueError: If the model's output isn't [N, A], holds NaN, or has
                no finite largest entry in some row.
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
        return for_each_choice(self._draw, self, output, size, action_mask)

    def _draw(self, logits: np.ndarray) -> np.ndarray:
        # The largest of logits plus Gumbel noise is distributed as the
        # softmax: no exponential that could overflow, no sum to round.
        noise = self._generator.gumbel(size=logits.shape)
        return np.argmax(logits + noise, axis=1)

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue exactly.

        Returns:
            Dictionary that JSON can hold: the state of the generator.
        """
        return {"generator": self._generator.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned.

        Args:
            state: Dictionary from `get_state`.
        """
        self._generator.bit_generator.state = state["generator"]
