import matplotlib
import numpy as np
import pytest
from keras import ops

from keras_rlkit import plots

matplotlib.use("Agg")


class Uniform:
    """Uniform on [0, 1], on any backend."""

    event_shape = ()
    dtype = "float32"

    def __init__(self, *batch_shape):
        self.batch_shape = batch_shape

    def cdf(self, value):
        return ops.clip(value, 0, 1)


def test_shares_of_targets_below_the_levels():
    y = np.array([[0.1], [0.2], [0.3], [0.9]])
    axes = plots.reliability_diagram(y, Uniform(4, 1), num_levels=3, label="a")
    _, curve = axes.get_lines()
    np.testing.assert_allclose(
        curve.get_xydata(), [[0.25, 0.5], [0.5, 0.75], [0.75, 0.75]]
    )
    assert axes.get_legend().get_texts()[0].get_text() == "a"


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match="must have the same shape"):
        plots.reliability_diagram(np.zeros(4), Uniform(4, 1))


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`num_levels` must be a positive"):
        plots.reliability_diagram(np.zeros(4), Uniform(4), num_levels=0)
