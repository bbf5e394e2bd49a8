"""Parts that train wrongly in some precision or way to compile are refused."""

import keras
import numpy as np
import pytest

from keras_rlkit.testing.training_checks import Training
from tests.testing.faulty_parts import (
    ScaledError,
    ScaledMean,
    check_loss,
    check_metric,
)

rng = np.random.default_rng(0)
DATA = rng.normal(size=(2, 8, 2)).astype("float32")


class InPython(keras.layers.Layer):
    """Counts its calls in Python: compiled code knows but the first."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def call(self, inputs):
        self.calls += 1
        return inputs * self.calls


class Overflows(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 60_000 * 60_000 / 3.6e9


class Wide(keras.layers.Dense):
    def __init__(self):
        super().__init__(2, dtype="float16")


class Detached(keras.layers.Layer):
    def call(self, inputs):
        return keras.ops.stop_gradient(inputs) + 1


def training(layer):
    def make():
        return keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(2), layer()]
        )

    return Training(make, lambda: tuple(DATA), lambda: {"loss": "mse"})


def test_a_plain_layer_passes():
    for clause in training(keras.layers.ReLU).clauses().values():
        clause()


@pytest.mark.parametrize("clause", ["jit_compile", "steps_per_execution"])
def test_state_in_python_is_lost_where_steps_are_compiled(clause):
    with pytest.raises(AssertionError, match="weights differ from those"):
        training(InPython).clauses()[clause]()


@pytest.mark.parametrize(
    "layer, message",
    [
        (Overflows, "finite"),
        (Wide, "weights must be float32 under mixed_float16"),
    ],
)
def test_what_does_not_fit_into_float16(layer, message):
    with pytest.raises(AssertionError, match=message):
        training(layer).check_precision("mixed_float16")


def test_gradients_that_never_arrive():
    # TensorFlow says so by itself.
    error = AssertionError, ValueError
    with pytest.raises(error, match="no gradient arrived|No gradients"):
        training(Detached).check_precision("mixed_bfloat16")


def test_whole_losses_and_metrics_pass():
    check_loss(ScaledError)
    check_metric(ScaledMean)


def broken(part, **changes):
    made = type("Broken", (part,), {"__doc__": part.__doc__, **changes})
    return keras.saving.register_keras_serializable("tests_training")(made)


def without_weight(self, y_true, y_pred, sample_weight=None):
    return keras.losses.Loss.__call__(self, y_true, y_pred)


def by_batch(self, y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred))


def divided_by_weights(self, y_true, y_pred, sample_weight=None):
    values = keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)
    if sample_weight is not None:
        values = values * sample_weight / keras.ops.mean(sample_weight)
    if self.reduction is None:
        return values
    total = keras.ops.sum(values)
    return total if self.reduction == "sum" else total / len(y_true)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"__call__": without_weight}, "'sample_weight'.*is ignored"),
        ({"call": by_batch}, "'reduction'.*for each of 8 samples"),
        ({"__call__": divided_by_weights}, "'sample_weight'.*other samples"),
    ],
)
def test_losses_that_reduce_or_weigh_wrongly(changes, message):
    with pytest.raises(AssertionError, match="(?s)" + message):
        check_loss(broken(ScaledError, **changes))


def unweighted(self, y_true, y_pred, sample_weight=None):
    ScaledMean.update_state(self, y_true, y_pred)


def newest_only(self, y_true, y_pred, sample_weight=None):
    keras.metrics.Mean.reset_state(self)
    ScaledMean.update_state(self, y_true, y_pred, sample_weight)


def keeps(self):
    pass


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"update_state": unweighted}, "'sample_weight'"),
        ({"update_state": newest_only}, "'batches': two batches"),
        ({"reset_state": keeps}, "'batches': `reset_state` must forget"),
    ],
)
def test_metrics_that_weigh_or_add_up_wrongly(changes, message):
    with pytest.raises(AssertionError, match=message):
        check_metric(broken(ScaledMean, **changes))
