from typing import Any

from keras_rlkit.layers.distribution_heads.distribution_head import (
    DistributionHead,
)
from keras_rlkit.layers.distribution_heads.tensor_distribution import (
    distributions,
)
from keras_rlkit.utils import check_positive_number, register


@register
class LogNormalHead(DistributionHead):
    """Log-normal distribution of each output: positive targets, skewed right.

    The logarithm of the target is normal, with mean and standard deviation
    that follow the features. At the start, features of zero give mean 0 and
    standard deviation 1 of the logarithm.

    Args:
        units: Positive integer, the number of outputs. Defaults to 1.
        min_scale: Positive number, the floor under the standard deviation of
            the logarithm. Defaults to 1e-3.
        **kwargs: Arguments of `DistributionHead` and `keras.layers.Layer`.

    Input shape:
        Features, float, `(..., num_features)`.

    Output shape:
        `tfp.distributions.LogNormal` of batch shape `(..., units)`, float32.
        Targets have that shape too and are above zero. The mean of a very wide
        distribution overflows to infinity; its median,
        `quantile(0.5)`, does not.

    Raises:
        RuntimeError: If Keras' backend isn't TensorFlow.
        ValueError: If an argument is out of its range.

    Example:

    ```python
    head = rlk.layers.LogNormalHead(units=2)
    prices = head(np.ones((8, 3)))
    prices.quantile(0.5), prices.stddev()
    ```
    """

    parameters_per_unit = 2

    def __init__(self, units: int = 1, min_scale: float = 1e-3, **kwargs: Any):
        super().__init__(units=units, **kwargs)
        self.min_scale = check_positive_number("min_scale", min_scale)

    def make_distribution(self, parameters: Any) -> Any:
        """Return a log-normal distribution of batch shape `(..., units)`."""
        location, raw_scale = self.split(parameters)
        scale = self.positive(raw_scale, self.min_scale)
        return distributions().LogNormal(location, scale)

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {**super().get_config(), "min_scale": self.min_scale}
