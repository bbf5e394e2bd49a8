from typing import Any

from keras_rlkit.metrics.distribution_metric import DistributionMetric
from keras_rlkit.ops.calibration import interval_hit
from keras_rlkit.ops.prediction_scores import probability_integral_transform
from keras_rlkit.utils import check_fraction, register


@register
class IntervalCoverage(DistributionMetric):
    """Share of targets that lie in the predicted central interval.

    Does the 95 % band hold 95 %? A share above `level` means that the
    predicted distributions are too wide, one below that they are too narrow.
    Intervals of counts hold at least `level`, since they end on whole numbers.

    Args:
        level: Number in (0, 1), the probability of the interval. Defaults to
            0.95.
        name: String, the metric's name in logs. Defaults to
            `"interval_coverage"`.
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
        ValueError: If `level` is out of its range, if shapes don't agree, or
            if the distribution function of single outputs isn't known.

    Example:

    ```python
    model = keras.Sequential([keras.Input((1,)), rlk.layers.NormalHead()])
    model.compile(
        "adam",
        loss=rlk.losses.NegativeLogLikelihood(),
        metrics=[rlk.metrics.IntervalCoverage(level=0.9)],
    )
    model.fit(np.ones((8, 1)), np.ones((8, 1)), verbose=0)
    ```
    """

    def __init__(
        self,
        level: float = 0.95,
        name: str = "interval_coverage",
        dtype: Any = None,
    ):
        super().__init__(num_values=1, name=name, dtype=dtype)
        if check_fraction("level", level, zero=False) == 1:
            raise ValueError(
                f"`level` must be a number below 1. Received: level={level!r}."
            )
        self.level = float(level)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return 1 for each target inside its interval and 0 outside."""
        below, up_to = probability_integral_transform(y_true, y_pred)
        return interval_hit(below, up_to, self.level)[..., None]

    def summarize(self, mean: Any) -> Any:
        """Return the share of targets inside."""
        return mean[0]

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {**super().get_config(), "level": self.level}
