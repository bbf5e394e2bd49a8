from typing import Any

from keras import ops

from keras_rlkit.metrics.distribution_metric import DistributionMetric
from keras_rlkit.ops.calibration import quantile_hit
from keras_rlkit.ops.prediction_scores import probability_integral_transform
from keras_rlkit.utils import check_positive_integer, register


@register
class QuantileCalibrationError(DistributionMetric):
    """How far predicted quantiles are from holding what they promise.

    A share p of the targets should lie below the predicted quantiles of level
    p. The metric is the mean of |share - p| over evenly spaced levels: 0 for
    calibrated predictions, at most about 0.5. It is the mean vertical distance
    from the diagonal of a reliability diagram. Where targets are few, chance
    alone gives a share an error of about `sqrt(p (1 - p) / number of targets)`.

    Args:
        num_levels: Positive integer, the number of levels L. They are
            1 / (L + 1), ..., L / (L + 1). Defaults to 9: 0.1 to 0.9.
        name: String, the metric's name in logs. Defaults to
            `"quantile_calibration_error"`.
        dtype: Type of the result. Defaults to Keras' float type.

    Call arguments:
        y_true: Targets, exactly of the distribution's shape.
        y_pred: A distribution with a `cdf`. Several outputs are looked at one
            by one, also where they are multivariate normal, `Independent` or a
            mixture of these.
        sample_weight: Optional weights, one for each sample or for each time
            step of each sample.

    Output shape:
        A scalar from 0 to 1.

    Raises:
        TypeError: If `y_pred` is no distribution.
        ValueError: If `num_levels` is not a positive integer, if shapes don't
            agree, or if the distribution function of single outputs isn't
            known.

    Example:

    ```python
    import tensorflow_probability as tfp

    metric = rlk.metrics.QuantileCalibrationError()
    prediction = tfp.distributions.Normal(np.zeros((50, 1)), np.ones((50, 1)))
    metric.update_state(np.linspace(-2, 2, 50)[:, None], prediction)
    metric.result()
    ```

    Reference:

    - Kuleshov, Fenner and Ermon, "Accurate uncertainties for deep learning
      using calibrated regression", 2018, section 3,
      https://arxiv.org/abs/1807.00263
    """

    def __init__(
        self,
        num_levels: int = 9,
        name: str = "quantile_calibration_error",
        dtype: Any = None,
    ):
        self.num_levels = check_positive_integer("num_levels", num_levels)
        super().__init__(num_values=self.num_levels, name=name, dtype=dtype)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return for each target and level whether the target lies below."""
        below, up_to = probability_integral_transform(y_true, y_pred)
        return quantile_hit(below, up_to, self._levels(below.dtype))

    def summarize(self, mean: Any) -> Any:
        """Return the mean distance between shares and levels."""
        return ops.mean(ops.abs(mean - self._levels(self.dtype)))

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {**super().get_config(), "num_levels": self.num_levels}

    def _levels(self, dtype):
        steps = ops.arange(1, self.num_levels + 1, dtype=dtype)
        return steps / (self.num_levels + 1)
