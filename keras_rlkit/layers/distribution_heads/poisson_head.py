from typing import Any

from keras_rlkit.layers.distribution_heads.distribution_head import (
    DistributionHead,
)
from keras_rlkit.layers.distribution_heads.tensor_distribution import (
    distributions,
)
from keras_rlkit.utils import check_positive_number, register


@register
class PoissonHead(DistributionHead):
    """Poisson distribution of each output: counts of independent events.

    The rate is both the mean and the variance; where counts scatter more than
    that, use `NegativeBinomialHead`. The rate follows the features through a
    softplus rather than an exponential, which keeps loss and gradient finite
    for any features. At the start, features of zero give a rate of about 1.

    Args:
        units: Positive integer, the number of outputs. Defaults to 1.
        min_rate: Positive number, the floor under the rate, in events.
            Defaults to 1e-3.
        **kwargs: Arguments of `DistributionHead` and `keras.layers.Layer`.

    Input shape:
        Features, float, `(..., num_features)`.

    Output shape:
        `tfp.distributions.Poisson` of batch shape `(..., units)`, float32.
        Targets have that shape too and are whole numbers from 0 up.

    Raises:
        RuntimeError: If Keras' backend isn't TensorFlow.
        ValueError: If an argument is out of its range.

    Example:

    ```python
    model = keras.Sequential([keras.Input((2,)), rlk.layers.PoissonHead()])
    model.compile("adam", loss=rlk.losses.NegativeLogLikelihood())
    model.fit(np.ones((8, 2)), np.full((8, 1), 3), verbose=0)
    ```
    """

    parameters_per_unit = 1

    def __init__(self, units: int = 1, min_rate: float = 1e-3, **kwargs: Any):
        super().__init__(units=units, **kwargs)
        self.min_rate = check_positive_number("min_rate", min_rate)

    def make_distribution(self, parameters: Any) -> Any:
        """Return a Poisson distribution of batch shape `(..., units)`."""
        rate = self.positive(parameters, self.min_rate)
        return distributions().Poisson(rate)

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {**super().get_config(), "min_rate": self.min_rate}
