"""The last layer of a dueling Q network."""

from typing import Any

import keras

from keras_rlkit.layers.value_heads.action_value_head import ActionValueHead
from keras_rlkit.utils import check_positive_integer, register


@register
class DuelingHead(ActionValueHead):
    """Q values from features, by a value and an advantage stream.

    Q(s, a) = V(s) + A(s, a) - mean over a' of A(s, a'). How good a state is
    gets learned from every action taken in it, which pays where many actions
    differ little. The mean is taken per sample: Q values of one sample never
    depend on the others in the batch.

    Put it where the last `Dense` layer of a Q network would be. Each stream
    is a hidden `Dense` layer and a linear one.

    Args:
        num_actions: Positive integer, number of actions. NumPy integers such
            as `environment.action_space.n` are accepted.
        units: Positive integer, width of the hidden layer of each stream.
        activation: Activation of the hidden layers, as for
            `keras.layers.Dense`.
        kernel_initializer: Initializer of all kernels, as for
            `keras.layers.Dense`. With a seed of its own, both hidden kernels
            start equal.
        **kwargs: `name`, `dtype` and `trainable`, as for any layer.

    Input shape:
        Float tensor of features, `(batch, ..., features)`. `features` must
        be known.

    Output shape:
        Q values, `(batch, ..., num_actions)`, of the layer's compute dtype.

    Raises:
        ValueError: If `num_actions` or `units` is not a positive integer, or
            if the size of the features' last axis is unknown.

    Example:

    ```python
    network = keras.Sequential(
        [
            keras.Input((84, 84, 4)),
            keras.layers.Conv2D(16, 8, strides=4, activation="relu"),
            keras.layers.Conv2D(32, 4, strides=2, activation="relu"),
            keras.layers.Flatten(),
            rlk.layers.DuelingHead(6, units=256),
        ]
    )
    network(np.zeros((32, 84, 84, 4), "float32")).shape  # (32, 6)
    ```

    Reference:
        Wang et al., Dueling Network Architectures for Deep Reinforcement
        Learning, section 3, equation 9, https://arxiv.org/abs/1511.06581
    """

    def __init__(
        self,
        num_actions: int,
        units: int = 512,
        activation: Any = "relu",
        kernel_initializer: Any = "he_normal",
        **kwargs: Any,
    ):
        units = check_positive_integer("units", units)
        super().__init__(
            num_actions,
            1,
            units,
            True,
            activation,
            kernel_initializer,
            **kwargs,
        )

    def call(self, inputs: Any) -> Any:
        """Return the Q values of every action.

        Args:
            inputs: Features, `(batch, ..., features)`.

        Returns:
            Q values, `(batch, ..., num_actions)`.
        """
        return keras.ops.squeeze(super().call(inputs), axis=-1)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the shape of the Q values for features of this shape.

        Args:
            input_shape: Shape of the features, the batch axis included.

        Returns:
            The same with `num_actions` as the last axis.
        """
        return (*input_shape[:-1], self.num_actions)
