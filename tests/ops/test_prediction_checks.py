import numpy as np
import pytest
from keras import ops

from keras_rlkit.ops import prediction_checks as checks


def tfd():
    import tensorflow_probability as tfp

    return tfp.distributions


class Named:
    """A distribution of which only the shapes are looked at."""

    def __init__(self, batch_shape, event_shape=()):
        self.batch_shape = batch_shape
        self.event_shape = event_shape

    def log_prob(self, value):
        raise NotImplementedError


@pytest.mark.parametrize(
    "shape, batch_shape, event_shape",
    [
        ((4, 1), (4, 1), ()),
        ((4, 3), (4,), (3,)),
        ((4, 1), (None, 1), ()),
        ((4,), (4,), ()),
    ],
)
def test_equal_shapes_pass(shape, batch_shape, event_shape):
    checks.check_target_shape(np.zeros(shape), Named(batch_shape, event_shape))


@pytest.mark.parametrize(
    "shape, batch_shape, event_shape, advice",
    [
        ((4,), (4, 1), (), r"y\[\.\.\., None\]"),
        ((4, 1), (4,), (), r"t\[\.\.\., :1\]"),
        ((4, 2), (4, 1), (), "Set the head's `units`"),
        ((4, 1), (None, 3), (), "Set the head's `units`"),
        ((4, 3), (4,), (2,), "Set the head's `units`"),
        ((1,), (), (), r"t\[\.\.\., :1\]"),
    ],
)
def test_shapes_that_would_broadcast_are_refused_with_both_named(
    shape, batch_shape, event_shape, advice
):
    with pytest.raises(ValueError, match=advice) as error:
        checks.check_target_shape(
            np.zeros(shape), Named(batch_shape, event_shape)
        )
    assert f"y_true.shape={shape}" in str(error.value)
    assert f"batch_shape={batch_shape}" in str(error.value)
    assert f"event_shape={event_shape}" in str(error.value)


@pytest.mark.parametrize(
    "weights, values, expected",
    [
        ((4,), (4,), (4,)),
        ((4, 1), (4,), (4,)),
        ((4,), (4, 3), (4, 1)),
        ((4, 3), (4, 3, 2), (4, 3, 1)),
        ((), (4,), (1,)),
    ],
)
def test_weights_get_the_rank_of_values(weights, values, expected):
    aligned = checks.align_weights(ops.ones(weights), ops.ones(values))
    assert tuple(aligned.shape) == expected


@pytest.mark.parametrize("weights", [(3,), (4, 2), (4, 3, 2)])
def test_weights_of_other_samples_are_refused(weights):
    with pytest.raises(ValueError, match="one entry for each sample"):
        checks.align_weights(ops.ones(weights), ops.ones((4, 3)))


def test_is_distribution():
    assert checks.is_distribution(Named((1,)))
    assert not checks.is_distribution(ops.ones(3))


@pytest.mark.tensorflow_only
def test_the_name_is_that_of_single_outputs_inside_any_wrappers():
    from keras_rlkit.layers.distribution_heads.tensor_distribution import (
        as_tensor_distribution,
    )

    head = as_tensor_distribution(tfd().Poisson(np.ones((2, 3), "float32")))
    wrapped = tfd().Independent(tfd().Independent(head, 1), 1)
    assert checks.distribution_name(wrapped) == "Poisson"
    assert checks.distribution_name(tfd().Independent(head, 1)) == "Poisson"
