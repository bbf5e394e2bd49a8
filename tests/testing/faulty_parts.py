"""Small parts that keep the contract, to be broken clause by clause."""

import keras
import numpy as np

import keras_rlkit as rlk

register = keras.saving.register_keras_serializable("tests_testing")

DOCSTRING = """Multiplies by a factor.

Args:
    factor: Positive number. Defaults to 1.

Input shape:
    Any.

Output shape:
    The same.

Call arguments:
    y_true: Numbers.

Example:

>>> ...
"""


def check_factor(factor):
    if not factor > 0:
        raise ValueError(
            f"`factor` must be positive. Received: factor={factor!r}."
        )
    return factor


@register
class Scale(keras.layers.Layer):
    __doc__ = DOCSTRING

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = check_factor(factor)

    def build(self, input_shape):
        self.offset = self.add_weight(
            shape=input_shape[-1:], initializer="zeros", name="offset"
        )

    def call(self, inputs):
        return inputs * self.factor + self.offset

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@register
class ScaledError(keras.losses.Loss):
    __doc__ = DOCSTRING

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = check_factor(factor)

    def call(self, y_true, y_pred):
        error = keras.ops.square(y_true - y_pred)
        return self.factor * keras.ops.mean(error, axis=-1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@register
class ScaledMean(keras.metrics.Mean):
    __doc__ = DOCSTRING

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = check_factor(factor)

    def update_state(self, y_true, y_pred, sample_weight=None):
        error = keras.ops.abs(y_true - y_pred)
        super().update_state(self.factor * error, sample_weight)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Draws:
    """Draws any action that isn't forbidden.

    Args:
        seed: Non-negative integer.

    Example:

    >>> ...
    """

    def __init__(self, seed=None):
        self.generator = np.random.default_rng(seed)

    def __call__(self, model, observations, step, action_mask=None):
        """Draw by the output [N, A] of the model."""
        scores = np.asarray(model.predict_on_batch(observations))
        if np.isnan(scores).any():
            raise ValueError("The model's output must not be NaN.")
        noise = self.generator.random(scores.shape)
        noise[scores == -np.inf] = -1
        if action_mask is not None:
            noise[~action_mask] = -1
        return np.argmax(noise, axis=1)

    def get_state(self):
        return {"generator": self.generator.bit_generator.state}

    def set_state(self, state):
        self.generator.bit_generator.state = state["generator"]


class Newest:
    """Draws more often from the newer half, after a few batches.

    Args:
        batches: Batches that are drawn from all.

    Example:

    >>> ...
    """

    weighs = False

    def __init__(self, batches=3):
        self.batches = batches
        self.drawn = 0

    def start(self, capacity):
        pass

    def size_of(self, capacity):
        return 0

    def draw(self, generator, oldest, size, batch_size):
        self.drawn += 1
        low = size // 2 if self.drawn % self.batches == 0 else 0
        return oldest + generator.integers(low, size, size=batch_size), None

    def arrays(self):
        return {}

    def counters(self):
        return {"drawn": self.drawn}

    def restore(self, arrays, counters):
        self.drawn = counters["drawn"]

    def get_config(self):
        return {"batches": self.batches}


class Counts(keras.callbacks.Callback):
    """Counts epochs and logs `weight` times their number.

    Args:
        weight: Number. Defaults to 1.

    Example:

    >>> ...
    """

    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = weight
        self.epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1
        logs["counted"] = self.weight * self.epochs

    def get_state(self):
        return {"epochs": self.epochs}

    def set_state(self, state):
        self.epochs = state["epochs"]


def counting_parts(folder):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    network.compile("sgd", "mse")
    data = {"x": np.ones((4, 2)), "y": np.ones((4, 2)), "batch_size": 2}
    return {"weight": 2.0}, network, data


rng = np.random.default_rng(0)
TARGETS, PREDICTIONS = rng.normal(size=(2, 8, 2)).astype("float32")


def check_layer(layer, **options):
    options = {"arguments": {"factor": 2.0}, **options}
    rlk.testing.check_layer(layer, bad={"factor": [-1.0]}, **options)


def check_loss(loss, **options):
    rlk.testing.check_loss(
        loss, TARGETS, PREDICTIONS, {"factor": 2.0}, **options
    )


def check_metric(metric, **options):
    rlk.testing.check_metric(
        metric, TARGETS, PREDICTIONS, {"factor": 2.0}, **options
    )


def check_policy(policy, **options):
    rlk.testing.check_policy(policy, {"seed": 3}, **options)


def check_sampler(sampler, **options):
    rlk.testing.check_sampler(sampler, {"batches": 4}, **options)
