"""Several bits, each drawn from the probability that the model gives."""

from typing import Any

import numpy as np

from keras_rlkit.policies.action_scores import (
    check_mask_shape,
    check_scores,
    model_output,
)
from keras_rlkit.utils import make_generator
from keras_rlkit.utils.nests import num_rows


class Bernoulli:
    """Draws each bit of an action with its probability, the logit's sigmoid.

    For `MultiBinary` action spaces, with
    `ActorCritic(distribution="bernoulli")`.

    Args:
        stochastic: Whether bits are drawn; `False` gives the more probable
            ones. Defaults to `True`.
        seed: Non-negative integer, or `None` to follow
            `keras.utils.set_random_seed`.

    Raises:
        ValueError: If `seed` is not a non-negative integer.

    Example:

    ```python
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    policy = rlk.policies.Bernoulli(seed=0)
    actions = policy(network, np.zeros((8, 4), "float32"), step=0)  # [8, 3]
    ```

    Reference:
        Williams, Simple Statistical Gradient-Following Algorithms for
        Connectionist Reinforcement Learning, section 4,
        https://doi.org/10.1007/BF00992696
    """

    actions = "binary"

    def __init__(self, stochastic: bool = True, seed: int | None = None):
        self.stochastic = bool(stochastic)
        self._generator = make_generator(seed)

    @property
    def draws(self) -> bool:
        """Whether actions are drawn from the model's own probabilities."""
        return self.stochastic

    def __call__(
        self, model: Any, observations: Any, step: int, action_mask: Any = None
    ) -> np.ndarray:
        """Draw bits for each observation.

        Args:
            model: Keras model that gives a logit for each bit, [N, D]. Of
                several outputs, the first one counts, or in a dictionary the
                one under `"policy"`, else under `"logits"`.
            observations: NumPy array of observations, [N, ...], or a nest of
                arrays, as the model takes them.
            step: Environment steps taken so far. Not used.
            action_mask: Booleans [N, 2 * D]: of each bit, whether it may be 0
                and whether it may be 1; or `None`. Defaults to `None`.

        Returns:
            int64 array of zeros and ones, [N, D].

        Raises:
            ValueError: If the model's output isn't [N, D] or holds NaN, or a
                bit may be neither 0 nor 1.
        """
        output = model_output(self, model, observations)
        return self.choose(output, num_rows(observations), step, action_mask)

    def choose(
        self, output: Any, size: int, step: int, action_mask: Any = None
    ) -> np.ndarray:
        """Choose actions by what a model gave.

        Args:
            output: Its output for the actions, [N, D].
            size: Number of observations N.
            step: Environment steps taken so far.
            action_mask: As in calling the policy.

        Returns:
            As calling the policy.
        """
        logits = np.asarray(output, "float64")
        if logits.ndim != 2:
            raise ValueError(
                "`Bernoulli` needs a model that gives a logit for each bit, "
                f"[N, D] for N={size} observations. Received: output.shape="
                f"{logits.shape}."
            )
        # As a choice between 0 and 1, whose difference is the logit.
        pairs = np.stack([np.zeros_like(logits), logits], axis=-1)
        masks = [None] * logits.shape[-1]
        if action_mask is not None:
            check_mask_shape(action_mask, (size, 2 * logits.shape[-1]))
            masks = np.reshape(action_mask, (size, -1, 2)).swapaxes(0, 1)
        columns = []
        for place, mask in enumerate(masks):
            scores = check_scores(self, pairs[:, place], size, mask)
            if self.stochastic:
                scores = scores + self._generator.gumbel(size=scores.shape)
            columns.append(np.argmax(scores, axis=1))
        return np.stack(columns, axis=1)

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
