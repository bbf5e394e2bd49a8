"""Distributions of returns as probabilities of fixed atoms (C51)."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_rlkit.layers.value_heads.action_value_head import ActionValueHead
from keras_rlkit.utils import check_positive_integer, register


@register
class CategoricalValueHead(ActionValueHead):
    """Gives, for each action, logits of the returns that it may bring.

    The last layer of the network of `CategoricalDQN`. Returns are the atoms,
    `num_atoms` numbers evenly spaced over `value_range`.

    Args:
        num_actions: Positive integer, number of actions.
        num_atoms: Integer of at least 2, number of atoms. Defaults to 51.
        value_range: `(lowest, highest)` return. Defaults to `(-10, 10)`, for
            rewards clipped to [-1, 1].
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
        Logits, `(batch, ..., num_actions, num_atoms)`, of the layer's compute
        dtype.

    Raises:
        ValueError: If an argument is out of its range, or the size of the
            features' last axis is unknown.

    Example:

    ```python
    head = rlk.layers.CategoricalValueHead(4, num_atoms=21, units=64)
    logits = head(np.ones((8, 16), "float32"))
    logits.shape  # (8, 4, 21)
    values = keras.ops.sum(keras.ops.softmax(logits) * head.atoms, axis=-1)
    ```

    Reference:
        Bellemare, Dabney and Munos, A Distributional Perspective on
        Reinforcement Learning, section 4, https://arxiv.org/abs/1707.06887;
        dueling: Hessel et al., Rainbow, section "The Integrated Agent",
        https://arxiv.org/abs/1710.02298
    """

    def __init__(
        self,
        num_actions: int,
        num_atoms: int = 51,
        value_range: Sequence[float] = (-10, 10),
        units: int | None = None,
        dueling: bool = True,
        activation: Any = "relu",
        kernel_initializer: Any = "he_normal",
        **kwargs: Any,
    ):
        self.num_atoms = check_positive_integer("num_atoms", num_atoms)
        low, high = map(float, value_range)
        if self.num_atoms < 2 or not low < high:
            raise ValueError(
                "`num_atoms` must be at least 2, and `value_range` (lowest, "
                f"highest). Received: num_atoms={num_atoms}, "
                f"value_range={value_range}."
            )
        super().__init__(
            num_actions,
            self.num_atoms,
            units,
            dueling,
            activation,
            kernel_initializer,
            **kwargs,
        )
        self.value_range = (low, high)

    @property
    def atoms(self) -> Any:
        """The returns whose probabilities are told, float32 [num_atoms]."""
        return keras.ops.linspace(
            *self.value_range, self.num_atoms, dtype="float32"
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, for saving."""
        return {
            **super().get_config(),
            "num_atoms": self.num_atoms,
            "value_range": list(self.value_range),
            "dueling": self.dueling,
        }
