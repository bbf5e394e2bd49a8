"""What losses of a policy share: the output, the actions, the mean."""

from typing import Any

import keras
from keras import ops

from keras_rlkit.ops import entropy
from keras_rlkit.ops.replicas import mean_over_replicas, part_of_replica

# Its logarithm is finite, and no softmax in float32 gets between it and 0.
_LOWEST_PROBABILITY = 1e-37


class PolicyLoss(keras.losses.Loss):
    """Base of losses whose weight is an advantage and whose bonus is not.

    Subclasses give one number per sample in `call`, which sees the weights: a
    clipped objective isn't proportional to them. The entropy bonus is added
    as a mean (or sum) of its own.

    Args:
        entropy_weight: Non-negative number.
        from_logits: Whether `y_pred` holds logits, or probabilities.
        reduction: As in other Keras losses, but not
            `"mean_with_sample_weight"`.
        name: String.
        dtype: Type of the result.
    """

    # Its actions are numbers of discrete ones.
    distribution = "categorical"

    def __init__(
        self,
        entropy_weight: float,
        from_logits: bool,
        reduction: str | None,
        name: str,
        dtype: Any,
    ):
        if reduction == "mean_with_sample_weight":
            raise ValueError(
                "`reduction` must not divide by the sum of the weights, which "
                "for advantages is near zero. Received: "
                "reduction='mean_with_sample_weight'. Use "
                "'sum_over_batch_size' or 'sum'."
            )
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.entropy_weight = _check_entropy_weight(entropy_weight)
        self.from_logits = bool(from_logits)

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        """Return the reduced loss, entropy bonus included.

        The stock method would cast actions to the loss' dtype, which in
        bfloat16 is inexact above 256, and multiply the bonus by the weights.
        """
        with keras.name_scope(self.name):
            y_true = ops.convert_to_tensor(y_true)
            logits = self._logits(ops.convert_to_tensor(y_pred))
            advantage = _advantages(sample_weight, logits)
            loss = self._reduce(self.call(y_true, logits, advantage))
            if self.entropy_weight:
                bonus = entropy(logits) * self._counted(advantage)
                loss = loss - self.entropy_weight * self._reduce(bonus)
            return ops.cast(loss, self.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, for saving."""
        return {
            "entropy_weight": self.entropy_weight,
            "from_logits": self.from_logits,
            **super().get_config(),
            "dtype": self.dtype,
        }

    def _logits(self, y_pred):
        if len(y_pred.shape) != 2:
            raise ValueError(
                "`y_pred` must have shape (batch, num_actions). "
                f"Received: y_pred.shape={tuple(y_pred.shape)}. "
                "End the model in a layer with one unit per action."
            )
        y_pred = ops.cast(y_pred, "float32")
        if self.from_logits:
            return y_pred
        return ops.log(ops.maximum(y_pred, _LOWEST_PROBABILITY))

    def _counted(self, advantage):
        """How often the entropy of each row counts: rows that fill up never."""
        counted = 1.0 - ops.cast(_fills_up(advantage), "float32")
        if self.reduction == "sum":
            return counted
        # The others grow in proportion, as their advantages have.
        return ops.divide_no_nan(counted, mean_over_replicas(counted))

    def _reduce(self, values):
        if self.reduction in (None, "none"):
            return values
        if self.reduction == "sum":
            return ops.sum(values)
        return part_of_replica(mean_over_replicas(values))


def to_actions(values: Any) -> Any:
    """Return actions as integers, whatever number type they came in.

    Args:
        values: Tensor of whole numbers, [B].

    Returns:
        int32 tensor, [B].
    """
    dtype = keras.backend.standardize_dtype(values.dtype)
    if keras.backend.is_float_dtype(dtype):
        values = ops.round(values)
    return ops.cast(values, "int32")


def _advantages(sample_weight, logits):
    if sample_weight is None:
        return ops.ones_like(logits[:, 0])
    weight = ops.cast(ops.convert_to_tensor(sample_weight), "float32")
    if len(weight.shape) == 0:
        return ops.broadcast_to(weight, ops.shape(logits)[:1])
    if len(weight.shape) == 2 and weight.shape[1] == 1:
        weight = ops.squeeze(weight, axis=1)
    if len(weight.shape) != 1:
        raise ValueError(
            "`sample_weight` must have shape (batch,), one return or advantage "
            "for each action, or be one number for all. "
            f"Received: shape {tuple(weight.shape)}."
        )
    return weight


def _fills_up(weight):
    """Whether rows only fill a batch up, which a weight of -0.0 says."""
    return ops.logical_and(weight == 0.0, ops.signbit(weight))


def _check_entropy_weight(value):
    if isinstance(value, bool) or not value >= 0 or value == float("inf"):
        raise ValueError(
            "`entropy_weight` must be a non-negative, finite number. "
            f"Received: entropy_weight={value!r}."
        )
    return float(value)
