import keras
import numpy as np


def gradient(function, argument):
    """Gradient of the sum of the function's results."""
    argument = np.asarray(argument, "float32")
    if keras.backend.backend() == "jax":
        import jax

        return np.array(jax.grad(lambda x: function(x).sum())(argument))
    import tensorflow as tf

    argument = tf.convert_to_tensor(argument)
    with tf.GradientTape() as tape:
        tape.watch(argument)
        total = tf.reduce_sum(function(argument))
    return tape.gradient(
        total, argument, unconnected_gradients=tf.UnconnectedGradients.ZERO
    ).numpy()
