from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rlkit.ops.distribution_parts import independent_outputs
from keras_rlkit.ops.prediction_checks import (
    align_weights,
    check_one_tensor,
    check_target_shape,
    distribution_name,
    is_distribution,
)
from keras_rlkit.ops.prediction_scores import negative_log_likelihood
from keras_rlkit.ops.target_forms import describe_support
from keras_rlkit.ops.target_replacement import (
    replace_targets,
    round_into_support,
)
from keras_rlkit.ops.target_support import in_support
from keras_rlkit.utils import register


@register
class NegativeLogLikelihood(keras.losses.Loss):
    """Negative log likelihood of the targets under predicted distributions.

    The loss of every model that ends in a distribution head or in
    `DistributionLambda`; minimising it is maximum likelihood estimation. The
    log likelihoods of a head's units add up to one value per sample (or per
    time step), in nats.

    Masks of time steps and sample weights work as in other Keras losses; a
    head's units, which are independent, may have a weight each. Where a mask is
    false or a weight is zero, the target doesn't count, whatever it holds: NaN,
    1e20, -1 in place of a count.

    Each batch is checked for impossible targets, and an error ends training
    before they reach the weights. Impossible is what the predicted distribution
    itself gives a likelihood of zero: NaN, a negative count, a class out of
    range, parts that don't add up to 1, a number beyond the bounds or so far
    off that float32 can't tell its density from 0. A float64 target that
    float32 would round to the edge of the support, such as 1 - 1e-9 for a
    beta distribution, counts as the nearest possible number; a distribution
    with float64 parameters takes it as it is.
    XLA compiles errors away: with `jit_compile=True`, Keras' default on a GPU,
    the loss of such a batch is NaN and its gradient zero. Calling the loss
    eagerly before training, `loss(y, model(x))`, checks all targets at once and
    names the first impossible one.

    Args:
        check_targets: Bool, whether to check each batch of targets. Defaults
            to `True`.
        reduction: What becomes of the values of a batch, as in other Keras
            losses: `"sum_over_batch_size"` (the default) or `"mean"`, `"sum"`,
            `"mean_with_sample_weight"`, which divides by the sum of the weights
            of all samples and time steps (of a sample whose outputs have
            weights of their own, by their mean), or `None`.
        name: String, the loss' name.
        dtype: Type of the result. Defaults to Keras' float type.

    Call arguments:
        y_true: Targets, exactly of the distribution's shape: batch shape
            followed by event shape.
        y_pred: A TFP distribution. A tensor is refused.
        sample_weight: Optional weights, one for each sample, `(batch,)`, for
            each time step of each sample, `(batch, time)`, or for each output,
            exactly of the distribution's batch shape.

    Output shape:
        A scalar, or with `reduction=None` one value per sample (or time
        step).

    Raises:
        TypeError: If `y_pred` is no distribution, or one over several tensors.
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
        check_one_tensor(y_pred)
        with keras.name_scope(self.name):
            y_true = ops.convert_to_tensor(y_true)
            check_target_shape(y_true, y_pred)
            outputs, output_axes = independent_outputs(y_pred)
            one_per_output = y_true[(..., *[0] * len(outputs.event_shape))]
            mask = _aligned(
                getattr(y_pred, "_keras_mask", None), one_per_output
            )
            weight = _aligned(sample_weight, one_per_output)
            if mask is not None:
                weight = (
                    mask
                    if weight is None
                    else mask * ops.cast(weight, mask.dtype)
                )
            y_true, usable = self._usable_targets(y_true, weight, outputs)
            values = ops.cast(self.call(y_true, outputs), self.dtype)
            if usable is not None:
                values = ops.where(usable, values, np.nan)
            return self._reduce(values, mask, weight, output_axes)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the negative log likelihood of each output."""
        return negative_log_likelihood(y_true, y_pred)

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {
            **super().get_config(),
            "check_targets": self.check_targets,
            "dtype": self.dtype,
        }

    def _usable_targets(self, y_true, weight, outputs):
        """Return targets fit for arithmetic, and whether all of them were."""
        y_true = round_into_support(y_true, outputs)
        if not self.check_targets:
            if weight is None:
                return ops.cast(y_true, outputs.dtype), None
            return replace_targets(y_true, weight != 0, outputs), None
        possible = in_support(y_true, outputs)
        if weight is None:
            counted, allowed = possible, possible
        else:
            counted = ops.logical_and(possible, weight != 0)
            allowed = ops.logical_or(possible, weight == 0)
        y_true = _checked(y_true, allowed, outputs)
        return replace_targets(y_true, counted, outputs), ops.all(allowed)

    def _reduce(self, values, mask, weight, output_axes):
        if weight is not None:
            weight = ops.cast(weight, self.dtype)
            values = ops.where(weight != 0, values * weight, 0)
        # The outputs of one sample add up.
        axes = tuple(range(-output_axes, 0))
        per_sample = ops.sum(values, axis=axes) if axes else values
        if self.reduction in (None, "none"):
            return per_sample
        total = ops.sum(per_sample)
        if self.reduction == "sum":
            return total
        if self.reduction == "mean_with_sample_weight" and weight is not None:
            divisor = self._weight_of_samples(weight, values, axes)
        elif mask is not None:
            divisor = self._weight_of_samples(mask, values, axes)
        else:
            divisor = ops.size(per_sample)
        mean = ops.divide_no_nan(total, ops.cast(divisor, self.dtype))
        return _part_of_replica(mean)

    def _weight_of_samples(self, weight, values, output_axes):
        """Sum over samples of the mean weight of their outputs."""
        weight = ops.cast(weight, self.dtype)
        weight = ops.broadcast_to(weight, ops.shape(values))
        if output_axes:
            weight = ops.mean(weight, axis=output_axes)
        return ops.sum(weight)


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


def _aligned(weight, one_per_output):
    """A weight or a mask as floats with the rank of outputs' values."""
    if weight is None:
        return None
    weight = ops.convert_to_tensor(weight)
    dtype = keras.backend.result_type(weight.dtype, "float32")
    return align_weights(ops.cast(weight, dtype), one_per_output)


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
        event_shape = tf.shape(y_true)[len(allowed.shape) :]
        events = tf.reshape(y_true, tf.concat([[-1], event_shape], axis=0))
        return tf.debugging.Assert(False, [message, tf.gather(events, first)])

    passed = tf.cond(tf.reduce_all(allowed), tf.no_op, fail)
    with tf.control_dependencies([passed]):
        return tf.identity(y_true)
