"""A training step whose update of the weights is one compiled function."""

from collections.abc import Callable
from typing import Any

import keras

# Launching a compiled function costs more than it saves below so many weights.
FUSED_FROM_WEIGHTS = 2**18


def can_fuse(model: keras.Model) -> bool:
    """Say whether `fused_train_step` is right and worth it for a model.

    On CPUs Keras compiles nothing by XLA, and compiling the whole step gains
    nothing; but uncompiled, the optimizer goes over the weights once for each
    operation of its formula.

    Args:
        model: Compiled Keras model.

    Returns:
        Whether the backend is TensorFlow on CPUs without XLA, one replica, and
        the model is large.
    """
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return (
        not model.jit_compile
        and not model.run_eagerly
        and bool(model.trainable_weights)
        and model.count_params() >= FUSED_FROM_WEIGHTS
        and tf.distribute.get_strategy().num_replicas_in_sync == 1
        and not tf.config.list_physical_devices("GPU")
    )


def fused_train_step(
    model: keras.Model, data: Any, then: Callable[[], None]
) -> dict[str, Any]:
    """Take Keras' training step, the weights' update compiled by XLA.

    Args:
        model: Compiled Keras model for which `can_fuse`.
        data: Batch, `(x, y)` or `(x, y, sample_weight)`.
        then: What to do with the new weights in the same compiled function.

    Returns:
        Logs.
    """
    import tensorflow as tf

    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    with tf.GradientTape() as tape:
        y_pred = model(x, training=True)
        loss = model.compute_loss(x, y, y_pred, sample_weight, training=True)
        rows = tf.nest.flatten(x)[0]
        tracker = next(m for m in model.metrics if m.name == "loss")
        tracker.update_state(loss, sample_weight=tf.shape(rows)[0])
        loss = model.optimizer.scale_loss(loss)
    gradients = tape.gradient(loss, model.trainable_weights)

    def update(gradients: list) -> None:
        model.optimizer.apply_gradients(
            zip(gradients, model.trainable_weights, strict=True)
        )
        then()

    tf.function(update, jit_compile=True)(gradients)
    return model.compute_metrics(x, y, y_pred, sample_weight)
