"""What all heads share that say something of each action."""

from typing import Any

import keras

from keras_rlkit.utils import check_positive_integer


class ActionValueHead(keras.layers.Layer):
    """Gives K numbers for each action, by one stream or by two.

    The stream of the actions gives A(s, a). With the dueling architecture
    there is one of the state too, and the numbers are
    V(s) + A(s, a) - mean over a' of A(s, a'), each of the K for itself.

    Args:
        num_actions: Positive integer, number of actions.
        outputs: Positive integer K, numbers for each action.
        units: Positive integer, width of a hidden layer in each stream, or
            `None` for none.
        dueling: Whether there is a stream of the state.
        activation: Activation of the hidden layers.
        kernel_initializer: Initializer of all kernels.
        **kwargs: `name`, `dtype` and `trainable`, as for any layer.
    """

    def __init__(
        self,
        num_actions: int,
        outputs: int,
        units: int | None,
        dueling: bool,
        activation: Any,
        kernel_initializer: Any,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_actions = check_positive_integer("num_actions", num_actions)
        self._outputs = outputs
        if units is not None:
            units = check_positive_integer("units", units)
        self.units = units
        self.dueling = bool(dueling)
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(min_ndim=2)
        self.value_hidden = self.value = self.advantage_hidden = None
        if self.dueling:
            self.value_hidden = self._hidden("value_hidden")
            self.value = self._dense(outputs, None, "value")
        self.advantage_hidden = self._hidden("advantage_hidden")
        self.advantage = self._dense(
            self.num_actions * outputs, None, "advantage"
        )

    def _hidden(self, name: str) -> keras.layers.Dense | None:
        if self.units is None:
            return None
        return self._dense(self.units, self.activation, name)

    def _dense(
        self, units: int, activation: Any, name: str
    ) -> keras.layers.Dense:
        initializer = self.kernel_initializer
        # An initializer draws the same numbers at each call: a clone without
        # a seed draws its own.
        if isinstance(initializer, keras.initializers.Initializer):
            initializer = initializer.clone()
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for features of this shape.

        Args:
            input_shape: Shape of the features, the batch axis included.

        Raises:
            ValueError: If the size of the last axis is unknown.
        """
        if input_shape[-1] is None:
            raise ValueError(
                f"`{type(self).__name__}` needs features of a known size. "
                f"Received: input_shape={tuple(input_shape)}. "
                "Give the model's `keras.Input` its full shape."
            )
        self.input_spec = keras.layers.InputSpec(
            min_ndim=2, axes={-1: input_shape[-1]}
        )
        for hidden, output in (
            (self.value_hidden, self.value),
            (self.advantage_hidden, self.advantage),
        ):
            shape = input_shape
            if hidden is not None:
                hidden.build(input_shape)
                shape = (*input_shape[:-1], self.units)
            if output is not None:
                output.build(shape)

    def call(self, inputs: Any) -> Any:
        """Return the numbers of each action.

        Args:
            inputs: Features, `(batch, ..., features)`.

        Returns:
            Tensor `(batch, ..., num_actions, K)`.
        """
        advantage = _stream(self.advantage_hidden, self.advantage, inputs)
        advantage = self._of_actions(advantage, self.num_actions)
        if not self.dueling:
            return advantage
        value = _stream(self.value_hidden, self.value, inputs)
        mean = keras.ops.mean(advantage, axis=-2, keepdims=True)
        return self._of_actions(value, 1) + (advantage - mean)

    def _of_actions(self, numbers: Any, count: int) -> Any:
        shape = keras.ops.shape(numbers)
        size = numbers.shape[-1] // count
        return keras.ops.reshape(numbers, (*shape[:-1], count, size))

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the shape of the output for features of this shape.

        Args:
            input_shape: Shape of the features, the batch axis included.
        """
        return (*input_shape[:-1], self.num_actions, self._outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that all heads have, for saving.

        Returns:
            Dictionary of values that JSON can hold.
        """
        return {
            **super().get_config(),
            "num_actions": self.num_actions,
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }


def _stream(hidden: Any, output: keras.layers.Dense, features: Any) -> Any:
    return output(features if hidden is None else hidden(features))
