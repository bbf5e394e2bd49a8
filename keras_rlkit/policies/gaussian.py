"""A continuous action drawn from a Gaussian that the model gives."""

from typing import Any

import numpy as np

from keras_rlkit.policies.action_scores import check_scores, model_output
from keras_rlkit.utils import make_generator
from keras_rlkit.utils.nests import num_rows

# Beyond it, exp overflows in float64; in float32 long before.
_LARGEST_LOG_SCALE = 700.0
_LARGEST = float(np.finfo(np.float32).max)


class Gaussian:
    """Draws continuous actions from means and log-scales.

    For `Box` action spaces. Collecting callbacks store an action as it was
    drawn, which its log-probability belongs to; wherever actions are played, in
    collecting, evaluations and films, the environment is handed a copy clipped
    to the bounds of its space. Outside of these the policy itself can clip,
    with `action_space`.

    Args:
        stochastic: Whether actions are drawn; `False` gives the means.
            Defaults to `True`.
        action_space: `Box` space of one environment's action whose bounds
            actions are clipped to, or `None` to leave them. Defaults to
            `None`.
        seed: Non-negative integer, or `None` to follow
            `keras.utils.set_random_seed`.

    Raises:
        ValueError: If `action_space` has no bounds, or `seed` is not a
            non-negative integer.

    Example:

    ```python
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    policy = rlk.policies.Gaussian(seed=0)
    actions = policy(network, np.zeros((8, 3), "float32"), step=0)  # [8, 1]
    ```

    Reference:
        Sutton and Barto, Reinforcement Learning: An Introduction, second
        edition, section 13.7, http://incompleteideas.net/book/the-book.html
    """

    actions = "continuous"

    def __init__(
        self,
        stochastic: bool = True,
        action_space: Any = None,
        seed: int | None = None,
    ):
        if action_space is not None and not hasattr(action_space, "low"):
            raise ValueError(
                "`action_space` must be a `Box` space, or None. "
                f"Received: action_space={action_space}."
            )
        self.stochastic = bool(stochastic)
        self.action_space = action_space
        self._generator = make_generator(seed)

    @property
    def draws(self) -> bool:
        """Whether actions are drawn from the model's own probabilities."""
        return self.stochastic

    def __call__(
        self, model: Any, observations: Any, step: int, action_mask: Any = None
    ) -> np.ndarray:
        """Draw an action for each observation.

        Args:
            model: Keras model that gives D means and after them the
                logarithms of D standard deviations, [N, 2 * D]. Of several
                outputs, the first one counts, or in a dictionary the one
                under `"policy"`, else under `"logits"`.
            observations: NumPy array of observations, [N, ...], as the model
                takes them.
            step: Environment steps taken so far. Not used.
            action_mask: Not used: masks are of choices, not of numbers.

        Returns:
            float32 array of finite actions, [N, D].

        Raises:
            ValueError: If the model's output isn't [N, 2 * D], or is not
                finite.
        """
        output = model_output(self, model, observations)
        return self.choose(output, num_rows(observations), step, action_mask)

    def choose(
        self, output: Any, size: int, step: int, action_mask: Any = None
    ) -> np.ndarray:
        """Choose actions by what a model gave.

        Args:
            output: Its output for the actions, [N, 2 * D].
            size: Number of observations N.
            step: Environment steps taken so far.
            action_mask: As in calling the policy.

        Returns:
            As calling the policy.
        """
        output = check_scores(self, output, size)
        if output.shape[1] % 2 or not np.isfinite(output).all():
            raise ValueError(
                "`Gaussian` needs a model that gives D finite means and D "
                "finite log-scales, [N, 2 * D]. Received: output.shape="
                f"{output.shape}, output={output[0]} in row 0."
            )
        action, log_scale = np.split(output, 2, axis=1)
        if self.stochastic:
            noise = self._generator.standard_normal(action.shape)
            scale = np.exp(np.minimum(log_scale, _LARGEST_LOG_SCALE))
            action = action + scale * noise
        if self.action_space is not None:
            low, high = self.action_space.low, self.action_space.high
            action = np.clip(action, low, high)
        return np.clip(action, -_LARGEST, _LARGEST).astype(np.float32)

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
