"""Distributions of returns as values of fixed quantiles (QR-DQN)."""

from typing import Any

import keras

from keras_rlkit.layers.value_heads.action_value_head import ActionValueHead
from keras_rlkit.utils import check_positive_integer, register


@register
class QuantileValueHead(ActionValueHead):
    """Gives, for each action, quantiles of the return that it brings.

    The last layer of the network of `QuantileDQN`. The mean of the quantiles
    is the Q value.

    Args:
        num_actions: Positive integer, number of actions.
        num_quantiles: Positive integer, number of quantiles. Defaults to 51.
        units: Positive integer, width of a hidden layer in each stream, or
            `None` for none. Defaults to `None`.
        dueling: Whether a stream of the state and one of the actions are added
            up, as in `DuelingHead`. Defaults to `True`.
        activation: Activation of the hidden layers, as for
            `keras.layers.Dense`.
        kernel_initializer: Initializer of all kernels, as for
            `keras.layers.Dense`.
        **kwargs: `name`, `dtype` and `trainable`, as for any layer.

    Input shape:
        Float tensor of features, `(batch, ..., features)`. `features` must
        be known.

    Output shape:
        Quantiles, `(batch, ..., num_actions, num_quantiles)`, of the layer's
        compute dtype.

    Raises:
        ValueError: If an argument is out of its range, or the size of the
            features' last axis is unknown.

    Example:

    ```python
    head = rlk.layers.QuantileValueHead(4, num_quantiles=21, units=64)
    quantiles = head(np.ones((8, 16), "float32"))
    quantiles.shape  # (8, 4, 21)
    head.taus[0]  # 1 / 42
    ```

    Reference:
        Dabney et al., Distributional Reinforcement Learning with Quantile
        Regression, section 4, https://arxiv.org/abs/1710.10044
    """

    def __init__(
        self,
        num_actions: int,
        num_quantiles: int = 51,
        units: int | None = None,
        dueling: bool = True,
        activation: Any = "relu",
        kernel_initializer: Any = "he_normal",
        **kwargs: Any,
    ):
        self.num_quantiles = check_positive_integer(
            "num_quantiles", num_quantiles
        )
        super().__init__(
            num_actions,
            self.num_quantiles,
            units,
            dueling,
            activation,
            kernel_initializer,
            **kwargs,
        )

    @property
    def taus(self) -> Any:
        """Probabilities of the quantiles, the middles of equal parts."""
        numbers = keras.ops.arange(self.num_quantiles, dtype="float32")
        return (numbers + 0.5) / self.num_quantiles

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, for saving."""
        return {
            **super().get_config(),
            "num_quantiles": self.num_quantiles,
            "dueling": self.dueling,
        }
