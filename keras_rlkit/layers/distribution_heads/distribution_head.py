import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_rlkit.layers.distribution_heads.distribution_layer import (
    DistributionLayer,
)
from keras_rlkit.utils import check_positive_integer


class DistributionHead(DistributionLayer):
    """Base of the named heads: features to the parameters of a distribution.

    Subclass it to add a head. State two things: `parameters_per_unit`, how
    many numbers one output needs, and `make_distribution`, which turns these
    numbers into a TFP distribution. The base owns the projection, one
    `Dense` layer without activation, whose outputs are ordered by parameter
    first, then by unit.

    Args:
        units: Positive integer, the number of outputs of one sample. They are
            independent given the features: their log likelihoods add up.
        convert_to_tensor: What the distribution is where a tensor is needed:
            `"mean"` (the default), `"mode"`, `"sample"`, `"probabilities"`, or
            a function of the distribution that returns a tensor.
        kernel_initializer: Initializer of the projection's kernel. `None` (the
            default) is `VarianceScaling(0.01)`: small, so that the first
            predictions are about the same for all samples. The bias starts
            at zero.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        Features, float, `(..., num_features)`.

    Output shape:
        A distribution, float32, whose samples have the shape `(..., units)`.

    Example:

    ```python
    @keras.saving.register_keras_serializable("my_package")
    class LaplaceHead(rlk.layers.DistributionHead):
        parameters_per_unit = 2

        def make_distribution(self, parameters):
            import tensorflow_probability as tfp

            location, scale = self.split(parameters)
            scale = self.positive(scale, minimum=1e-3)
            return tfp.distributions.Laplace(location, scale)

    model = keras.Sequential([keras.Input((4,)), LaplaceHead(units=2)])
    model(np.ones((8, 4))).quantile(0.9)
    ```
    """

    parameters_per_unit = None
    unit_axes = 1

    def __init__(
        self,
        units: int = 1,
        convert_to_tensor: str | Callable = "mean",
        kernel_initializer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor=convert_to_tensor, **kwargs)
        self.units = check_positive_integer("units", units)
        self.kernel_initializer = keras.initializers.get(
            kernel_initializer or keras.initializers.VarianceScaling(0.01)
        )

    @property
    def num_parameters(self) -> int:
        """How many numbers the projection gives for one sample."""
        return self.units * self.parameters_per_unit

    def make_distribution(self, parameters: Any) -> Any:
        """Return the TFP distribution with these parameters.

        Args:
            parameters: Tensor, `(..., num_parameters)`, any real numbers.

        Returns:
            A `tfp.distributions.Distribution` over `(..., units)`.
        """
        raise NotImplementedError

    def split(self, parameters: Any) -> list:
        """Return one tensor `(..., units)` for each parameter of a unit."""
        return ops.split(parameters, self.parameters_per_unit, axis=-1)

    @staticmethod
    def positive(raw: Any, minimum: float) -> Any:
        """Map real numbers to positive ones that never fall below `minimum`.

        `minimum + softplus(raw + log(e - 1))`: 0 gives `minimum + 1`, large
        numbers give about themselves, and the gradient stays within [0, 1].

        Args:
            raw: Float tensor of any shape.
            minimum: The floor, a number above zero.

        Returns:
            Tensor like `raw`, all values >= `minimum`.
        """
        return minimum + ops.softplus(raw + math.log(math.e - 1))

    def build(self, input_shape: tuple) -> None:
        """Create the projection's weights."""
        self.projection = keras.layers.Dense(
            self.num_parameters,
            kernel_initializer=self.kernel_initializer,
            dtype=self.dtype_policy,
            name="projection",
        )
        self.projection.build(input_shape)

    def distribution_parameters(self, inputs: Any) -> Any:
        """Return the projected features, `(..., num_parameters)`."""
        return self.projection(inputs)

    def parameter_specs(self, inputs: Any) -> keras.KerasTensor:
        """Return the shape and dtype of the projected features."""
        shape = (*inputs.shape[:-1], self.num_parameters)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }
