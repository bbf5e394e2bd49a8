from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rlkit.ops.predicted_distributions import (
    align_weights,
    check_target_shape,
    describe_support,
    distribution_name,
    in_support,
    is_distribution,
    negative_log_likelihood,
    replace_targets,
)
from keras_rlkit.utils import register


@register
class NegativeLogLikelihood(keras.losses.Loss):
    """Negative log likelihood of the targets under predicted distributions.

    The loss of every model that ends in a distribution head or in
    `DistributionLambda`; minimising it is maximum likelihood estimation. The
    log likelihoods of a head's units add up to one value per sample (or per
    time step), in nats.

    Masks of time steps and sample weights work as in other Keras losses. Where
    a mask is false or a weight is zero, the target doesn't count, even if it
    is NaN.

    Each batch is checked for impossible targets (NaN, a negative count, a class
    out of range), and an error ends training before they reach the weights.
    XLA compiles errors away: with `jit_compile=True`, Keras' default on a GPU,
    the loss of such a batch is NaN and its gradient zero. Calling the loss
    eagerly before training, `loss(y, model(x))`, checks all targets at once and
    names the first impossible one.

    Args:
        check_targets: Bool, whether to check each batch of targets. Defaults
            to `True`.
        reduction: What becomes of the values of a batch, as in other Keras
            losses: `"sum_over_batch_size"` (the default) or `"mean"`, `"sum"`,
            `"mean_with_sample_weight"`, or `None`.
        name: String, the loss' name.
        dtype: Type of the result. Defaults to Keras' float type.

    Call arguments:
        y_true: Targets, exactly of the distribution's shape: batch shape
            followed by event shape.
        y_pred: A TFP distribution. A tensor is refused.
        sample_weight: Optional weights, one for each sample or for each time
            step of each sample.

    Output shape:
        A scalar, or with `reduction=None` one value per sample (or time
        step).

    Raises:
        TypeError: If `y_pred` is no distribution.
        ValueError: If shapes don't agree, so that they would broadcast, or, in
            eager mode, if a target is impossible. In compiled mode that is a
            `tensorflow.errors.InvalidArgumentError`.

    Example:

    ```python
    model = keras.Sequential([keras.Input((1,)), rlk.layers.NormalHead()])
    model.compile("adam", loss=rlk.losses.NegativeLogLikelihood())
    model.fit(np.ones((8, 1)), np.ones((8, 1)), verbose=0)
    ```
    """

    def __init__(
        self,
        check_targets: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str = "negative_log_likelihood",
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.check_targets = bool(check_targets)

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        """Return the reduced loss.

        The stock method would turn `y_pred` into a tensor first.
        """
        _check_is_distribution(y_pred)
        with keras.name_scope(self.name):
            y_true = ops.convert_to_tensor(y_true)
            check_target_shape(y_true, y_pred)
            mask, weight = _mask_and_weight(y_true, y_pred, sample_weight)
            counted = None if weight is None else weight != 0
            y_true, usable = self._usable_targets(y_true, counted, y_pred)
            values = ops.cast(self.call(y_true, y_pred), self.dtype)
            if usable is not None:
                values = ops.where(usable, values, np.nan)
            return self._reduce(values, mask, weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the negative log likelihood of each sample."""
        return negative_log_likelihood(y_true, y_pred)

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {
            **super().get_config(),
            "check_targets": self.check_targets,
            "dtype": self.dtype,
        }

    def _usable_targets(self, y_true, counted, y_pred):
        """Return targets fit for arithmetic, and whether all of them were."""
        if not self.check_targets:
            if counted is not None:
                y_true = replace_targets(y_true, counted, y_pred)
            return y_true, None
        possible = in_support(y_true, y_pred)
        allowed = possible
        if counted is not None:
            ignored = align_weights(ops.logical_not(counted), possible)
            allowed = ops.logical_or(possible, ignored)
        y_true = _checked(y_true, allowed, y_pred)
        return replace_targets(y_true, possible, y_pred), ops.all(allowed)

    def _reduce(self, values, mask, weight):
        if weight is not None:
            weight = ops.cast(weight, self.dtype)
            values = values * weight
        if self.reduction in (None, "none"):
            return values
        total = ops.sum(values)
        if self.reduction == "sum":
            return total
        if self.reduction == "mean_with_sample_weight" and weight is not None:
            divisor = ops.sum(weight)
        elif mask is not None:
            divisor = ops.sum(mask)
        else:
            divisor = ops.size(values)
        mean = ops.divide_no_nan(total, ops.cast(divisor, self.dtype))
        return _part_of_replica(mean)


def _check_is_distribution(y_pred):
    if is_distribution(y_pred):
        return
    shape = getattr(y_pred, "shape", None)
    raise TypeError(
        "`NegativeLogLikelihood` needs the predicted distribution itself. End "
        "the model with a distribution head such as "
        "`keras_rlkit.layers.NormalHead`, with no layer after it, and pass "
        "the loss object to `compile`, not a function that calls it, since "
        "Keras hands such a function a tensor. Received: y_pred of type "
        f"{type(y_pred).__name__} and shape {shape}."
    )


def _mask_and_weight(y_true, y_pred, sample_weight):
    """Both with the rank of per-sample values; the weight includes the mask."""
    mask = getattr(y_pred, "_keras_mask", None)
    inner_axes = len(y_pred.event_shape) + getattr(y_pred, "unit_axes", 0)
    one_per_sample = y_true[(..., *[0] * inner_axes)]
    if sample_weight is not None:
        weight = ops.convert_to_tensor(sample_weight)
        sample_weight = align_weights(weight, one_per_sample)
    if mask is None:
        return None, sample_weight
    mask = align_weights(ops.convert_to_tensor(mask, "float32"), one_per_sample)
    if sample_weight is None:
        return mask, mask
    return mask, mask * ops.cast(sample_weight, "float32")


def _part_of_replica(mean):
    """Return what this replica adds to the mean over all replicas.

    Under a `tf.distribute` strategy Keras adds up the losses of the replicas.
    """
    if keras.backend.backend() != "tensorflow":
        return mean
    import tensorflow as tf

    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return mean / num_replicas if num_replicas > 1 else mean


def _checked(y_true, allowed, y_pred):
    """Return `y_true`, with an error in its way if a target isn't allowed."""
    if keras.backend.backend() != "tensorflow":
        return y_true
    import tensorflow as tf

    message = (
        "`NegativeLogLikelihood`: every target of a "
        f"{distribution_name(y_pred)} distribution must be "
        f"{describe_support(y_pred)}. Correct the targets, give a weight of "
        "zero to those that are to be ignored, or choose another "
        "distribution. Received:"
    )
    if tf.executing_eagerly():
        bad = np.argwhere(~allowed.numpy())
        if bad.size:
            first = tuple(bad[0].tolist())
            raise ValueError(
                f"{message} {len(bad)} impossible targets, the first one "
                f"{y_true.numpy()[first]} at index {first}."
            )
        return y_true

    def fail():
        first = tf.argmin(tf.cast(tf.reshape(allowed, [-1]), "int32"))
        # Not by `[first]`: XLA takes an index for a constant and would compile
        # anew for each batch.
        target = tf.gather(tf.reshape(y_true, [-1]), first)
        return tf.debugging.Assert(False, [message, target])

    passed = tf.cond(tf.reduce_all(allowed), tf.no_op, fail)
    with tf.control_dependencies([passed]):
        return tf.identity(y_true)
