from typing import Any

from keras import ops

from keras_rlkit.layers.distribution_heads.distribution_head import (
    DistributionHead,
)
from keras_rlkit.layers.distribution_heads.tensor_distribution import (
    distributions,
)
from keras_rlkit.utils import check_positive_number, register


@register
class NegativeBinomialHead(DistributionHead):
    """Negative binomial distribution of each output: counts that scatter.

    Mean `m` and `total_count` r follow the features; the variance is
    `m + m^2 / r`, so that a large r approaches the Poisson distribution. At
    the start, features of zero give m and r of about 1.

    Args:
        units: Positive integer, the number of outputs. Defaults to 1.
        min_mean: Positive number, the floor under the mean, in events.
            Defaults to 1e-3.
        min_total_count: Positive number, the floor under `total_count`, which
            bounds the variance for a given mean. Defaults to 1e-3.
        **kwargs: Arguments of `DistributionHead` and `keras.layers.Layer`.

    Input shape:
        Features, float, `(..., num_features)`.

    Output shape:
        `tfp.distributions.NegativeBinomial` of batch shape `(..., units)`,
        float32. Targets have that shape too and are whole numbers from 0 up.

    Raises:
        RuntimeError: If Keras' backend isn't TensorFlow.
        ValueError: If an argument is out of its range.

    Example:

    ```python
    head = rlk.layers.NegativeBinomialHead()
    sales = head(np.ones((8, 3)))
    sales.mean(), sales.variance()
    ```

    Reference:

    - Salinas, Flunkert and Gasthaus, "DeepAR: probabilistic forecasting with
      autoregressive recurrent networks", 2017, section 3.1,
      https://arxiv.org/abs/1704.04110
    """

    parameters_per_unit = 2

    def __init__(
        self,
        units: int = 1,
        min_mean: float = 1e-3,
        min_total_count: float = 1e-3,
        **kwargs: Any,
    ):
        super().__init__(units=units, **kwargs)
        self.min_mean = check_positive_number("min_mean", min_mean)
        self.min_total_count = check_positive_number(
            "min_total_count", min_total_count
        )

    def make_distribution(self, parameters: Any) -> Any:
        """Return a negative binomial of batch shape `(..., units)`."""
        raw_mean, raw_total_count = self.split(parameters)
        mean = self.positive(raw_mean, self.min_mean)
        total_count = self.positive(raw_total_count, self.min_total_count)
        return distributions().NegativeBinomial(
            total_count, logits=ops.log(mean) - ops.log(total_count)
        )

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {
            **super().get_config(),
            "min_mean": self.min_mean,
            "min_total_count": self.min_total_count,
        }
