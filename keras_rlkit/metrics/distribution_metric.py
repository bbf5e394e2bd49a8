from typing import Any

import keras
from keras import ops

from keras_rlkit.ops.prediction_checks import (
    align_weights,
    check_target_shape,
    is_distribution,
)


class DistributionMetric(keras.metrics.Metric):
    """Base of metrics that look at a predicted distribution.

    Keras hands metrics in `compile` the model's output as it is, so they see
    the distribution itself. A subclass states `values`: one or several numbers
    for each target, whose weighted mean over all targets since the last reset
    the metric reports through `summarize`.

    Args:
        num_values: Positive integer, how many numbers `values` gives for each
            target.
        name: String, the metric's name in logs.
        dtype: Type of the result. Defaults to Keras' float type.
    """

    def __init__(self, num_values: int, name: str, dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(
            (num_values,), initializer="zeros", dtype=self.dtype, name="total"
        )
        self.weight = self.add_variable(
            (), initializer="zeros", dtype=self.dtype, name="weight"
        )

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return numbers for each target, `(*y_true.shape, num_values)`."""
        raise NotImplementedError

    def summarize(self, mean: Any) -> Any:
        """Return the metric, a scalar, from the mean of `values`."""
        raise NotImplementedError

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Take a batch into account.

        Args:
            y_true: Targets, exactly of the distribution's shape.
            y_pred: A TFP distribution. A tensor is refused.
            sample_weight: Optional weights, one for each sample or for each
                time step of each sample. Targets that a mask or a weight of
                zero leaves out may be NaN.

        Raises:
            TypeError: If `y_pred` is no distribution.
            ValueError: If shapes don't agree, so that they would broadcast.
        """
        if not is_distribution(y_pred):
            raise TypeError(
                f"`{type(self).__name__}` needs the predicted distribution. "
                "End the model with a distribution head such as "
                "`keras_rlkit.layers.NormalHead`, with no layer after it. "
                f"Received: y_pred of type {type(y_pred).__name__}."
            )
        y_true = ops.convert_to_tensor(y_true)
        check_target_shape(y_true, y_pred)
        values = ops.cast(self.values(y_true, y_pred), self.dtype)
        weight = ops.ones_like(values[..., 0])
        for part in (getattr(y_pred, "_keras_mask", None), sample_weight):
            if part is not None:
                part = ops.convert_to_tensor(part)
                weight *= ops.cast(align_weights(part, weight), self.dtype)
        weight = weight[..., None]
        weighted = ops.where(weight != 0, values * weight, 0.0)
        axes = tuple(range(len(values.shape) - 1))
        self.total.assign_add(ops.sum(weighted, axis=axes))
        self.weight.assign_add(ops.sum(weight))

    def result(self) -> Any:
        """Return the metric over all batches since the last reset."""
        return self.summarize(ops.divide_no_nan(self.total, self.weight))
