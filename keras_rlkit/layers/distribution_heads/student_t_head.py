from typing import Any

from keras_rlkit.layers.distribution_heads.distribution_head import (
    DistributionHead,
)
from keras_rlkit.layers.distribution_heads.tensor_distribution import (
    distributions,
)
from keras_rlkit.utils import check_positive_number, register


@register
class StudentTHead(DistributionHead):
    """Student t distribution of each output: regression with outliers.

    Location, scale and, unless fixed, the degrees of freedom follow the
    features. At the start, features of zero give location 0, scale 1 and
    about `min_degrees_of_freedom + 1` degrees of freedom.

    Args:
        units: Positive integer, the number of outputs. Defaults to 1.
        degrees_of_freedom: Positive number that fixes the degrees of freedom,
            or `None` (the default) to predict them from the features. The
            mean exists above 1 and the standard deviation above 2.
        min_scale: Positive number, the floor under the scale. Defaults to
            1e-3.
        min_degrees_of_freedom: Positive number, the floor under learned
            degrees of freedom. Defaults to 2.1, so that mean and standard
            deviation exist.
        **kwargs: Arguments of `DistributionHead` and `keras.layers.Layer`.

    Input shape:
        Features, float, `(..., num_features)`.

    Output shape:
        `tfp.distributions.StudentT` of batch shape `(..., units)`, float32.
        Targets have that shape too.

    Raises:
        RuntimeError: If Keras' backend isn't TensorFlow.
        ValueError: If an argument is out of its range.

    Example:

    ```python
    head = rlk.layers.StudentTHead(degrees_of_freedom=4)
    head(np.ones((8, 3))).quantile(0.99)
    ```

    Reference:

    - Lange, Little and Taylor, "Robust statistical modeling using the t
      distribution", 1989, https://doi.org/10.1080/01621459.1989.10478852
    """

    def __init__(
        self,
        units: int = 1,
        degrees_of_freedom: float | None = None,
        min_scale: float = 1e-3,
        min_degrees_of_freedom: float = 2.1,
        **kwargs: Any,
    ):
        super().__init__(units=units, **kwargs)
        if degrees_of_freedom is not None:
            degrees_of_freedom = check_positive_number(
                "degrees_of_freedom", degrees_of_freedom
            )
        self.degrees_of_freedom = degrees_of_freedom
        self.min_scale = check_positive_number("min_scale", min_scale)
        self.min_degrees_of_freedom = check_positive_number(
            "min_degrees_of_freedom", min_degrees_of_freedom
        )

    @property
    def parameters_per_unit(self) -> int:
        """Location, scale and, unless fixed, degrees of freedom."""
        return 3 if self.degrees_of_freedom is None else 2

    def make_distribution(self, parameters: Any) -> Any:
        """Return a Student t distribution of batch shape `(..., units)`."""
        location, raw_scale, *raw_degrees = self.split(parameters)
        degrees_of_freedom = self.degrees_of_freedom
        if degrees_of_freedom is None:
            degrees_of_freedom = self.positive(
                raw_degrees[0], self.min_degrees_of_freedom
            )
        scale = self.positive(raw_scale, self.min_scale)
        return distributions().StudentT(degrees_of_freedom, location, scale)

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {
            **super().get_config(),
            "degrees_of_freedom": self.degrees_of_freedom,
            "min_scale": self.min_scale,
            "min_degrees_of_freedom": self.min_degrees_of_freedom,
        }
