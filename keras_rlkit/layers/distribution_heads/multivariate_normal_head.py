from typing import Any

from keras import ops

from keras_rlkit.layers.distribution_heads.distribution_head import (
    DistributionHead,
)
from keras_rlkit.layers.distribution_heads.tensor_distribution import (
    distributions,
)
from keras_rlkit.utils import check_positive_number, register

MAX_COEFFICIENT = 30.0


@register
class MultivariateNormalHead(DistributionHead):
    """Multivariate normal distribution with a full covariance.

    For several outputs whose errors go together, such as the two coordinates
    of a position. Means, scales and correlations all follow the features. At
    the start, features of zero give mean 0 and the identity as covariance.

    The covariance is `L L^T` with `L = diag(scale) (I + C)`, where `C` is
    strictly lower triangular and every coefficient stays within (-30, 30).
    `scale[i]` is the standard deviation of output i given the outputs before
    it. The bound keeps the covariance away from singular ones, so that float32
    suffices; with two outputs it allows correlations up to 0.9994.

    Args:
        units: Positive integer, the number of outputs.
        min_scale: Positive number, the floor under every `scale[i]`, and so
            under every output's standard deviation. Defaults to 1e-3.
        **kwargs: Arguments of `DistributionHead` and `keras.layers.Layer`.

    Input shape:
        Features, float, `(..., num_features)`.

    Output shape:
        `tfp.distributions.MultivariateNormalTriL` of batch shape `(...)` and
        event shape `(units,)`, float32. Targets: `(..., units)`.

    Raises:
        RuntimeError: If Keras' backend isn't TensorFlow.
        ValueError: If an argument is out of its range.

    Example:

    ```python
    head = rlk.layers.MultivariateNormalHead(units=2)
    head(np.ones((8, 3))).covariance()
    ```

    Reference:

    - Williams, "Using neural networks to model conditional multivariate
      densities", 1996, https://doi.org/10.1162/neco.1996.8.4.843
    """

    unit_axes = 0

    def __init__(self, units: int, min_scale: float = 1e-3, **kwargs: Any):
        super().__init__(units=units, **kwargs)
        self.min_scale = check_positive_number("min_scale", min_scale)

    @property
    def num_parameters(self) -> int:
        """Means, scales and the coefficients below the diagonal."""
        return 2 * self.units + self.units * (self.units - 1) // 2

    def make_distribution(self, parameters: Any) -> Any:
        """Return a multivariate normal of batch shape `(...)`."""
        units = self.units
        location, raw_scale, raw_coefficients = ops.split(
            parameters, [units, 2 * units], axis=-1
        )
        scale = self.positive(raw_scale, self.min_scale)
        bounded = ops.tanh(raw_coefficients / MAX_COEFFICIENT)
        factor = self._unit_lower_triangle(MAX_COEFFICIENT * bounded, scale)
        return distributions().MultivariateNormalTriL(
            location, scale[..., None] * factor
        )

    def _unit_lower_triangle(self, coefficients, scale):
        ones, zeros = ops.ones_like(scale), ops.zeros_like(scale)
        rows, start = [], 0
        for row in range(self.units):
            below = coefficients[..., start : start + row]
            above = zeros[..., row + 1 :]
            rows.append(ops.concatenate([below, ones[..., :1], above], axis=-1))
            start += row
        return ops.stack(rows, axis=-2)

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {**super().get_config(), "min_scale": self.min_scale}
