import numpy as np
import pytest
from keras import ops

from keras_rlkit.ops import target_support


def tfd():
    import tensorflow_probability as tfp

    return tfp.distributions


@pytest.mark.tensorflow_only
@pytest.mark.parametrize(
    "name, parameters, possible, impossible",
    [
        ("Normal", (0.0, 1.0), [-3.5, 0.0], [np.nan, np.inf]),
        ("Poisson", (1.0,), [0, 7], [-1, 0.5, np.nan]),
        ("NegativeBinomial", (1.0, 0.0), [0, 7], [-1, 0.5]),
        ("Bernoulli", (0.0,), [0, 1], [2, 0.5, -1]),
        ("Categorical", ([0.0, 0.0, 0.0],), [0, 2], [3, -1, 1.5, np.nan]),
        ("LogNormal", (0.0, 1.0), [0.1, 3.0], [0.0, -1.0, np.inf]),
        ("Beta", (1.0, 1.0), [0.1, 0.9], [0.0, 1.0]),
    ],
)
def test_support(name, parameters, possible, impossible):
    distribution = getattr(tfd(), name)(*parameters)
    targets = np.array([*possible, *impossible], "float32")
    result = target_support.in_support(targets, distribution)
    expected = [True] * len(possible) + [False] * len(impossible)
    assert np.array(result).tolist() == expected
    assert target_support.describe_support(distribution)


@pytest.mark.tensorflow_only
def test_replaced_targets_are_possible():
    targets = ops.convert_to_tensor([[np.nan, 2.0], [np.nan, -1.0]])
    keep = ops.convert_to_tensor([[False, True], [False, False]])
    for name, parameters in (("Poisson", (1.0,)), ("LogNormal", (0.0, 1.0))):
        distribution = getattr(tfd(), name)(*parameters)
        replaced = target_support.replace_targets(targets, keep, distribution)
        assert np.array(target_support.in_support(replaced, distribution)).all()
        assert np.array(replaced)[0, 1] == 2
