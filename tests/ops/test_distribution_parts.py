import numpy as np
import pytest

from keras_rlkit.ops import distribution_parts

pytestmark = pytest.mark.tensorflow_only


def tfd():
    import tensorflow_probability as tfp

    return tfp.distributions


def test_independent_outputs():
    normal = tfd().Normal(np.zeros((4, 3, 2), "float32"), 1.0)
    wrapped = tfd().Independent(tfd().Independent(normal, 1), 1)
    inner, axes = distribution_parts.independent_outputs(wrapped)
    assert inner is normal and axes == 2
    joint = tfd().MultivariateNormalDiag(np.zeros((4, 2), "float32"))
    assert distribution_parts.independent_outputs(joint) == (joint, 0)
