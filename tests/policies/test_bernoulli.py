import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.policies import Bernoulli

OBSERVATIONS = np.zeros((4_000, 1), "float32")


def constant(values):
    layer = keras.layers.Dense(
        len(values),
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(np.array(values)),
    )
    return keras.Sequential([keras.Input((1,)), layer])


def test_bits_are_drawn_by_the_sigmoid():
    bits = Bernoulli(seed=0)(constant([0.0, np.log(3.0)]), OBSERVATIONS, 0)
    assert bits.shape == (4_000, 2) and set(np.unique(bits)) == {0, 1}
    np.testing.assert_allclose(bits.mean(axis=0), [0.5, 0.75], atol=0.03)
    # Independent of each other.
    assert abs(np.corrcoef(bits.T)[0, 1]) < 0.06


def test_the_more_probable_ones():
    bits = Bernoulli(stochastic=False)(constant([-0.1, 0.1]), OBSERVATIONS, 0)
    assert (bits == [0, 1]).all()
    assert not Bernoulli(stochastic=False).draws and Bernoulli().draws


def test_masks_force_bits():
    # The first must be 1, the second 0, the third is free.
    mask = np.repeat([[0, 1, 1, 0, 1, 1]], len(OBSERVATIONS), axis=0)
    model = constant([-5.0, 5.0, 0.0])
    bits = Bernoulli(seed=0)(model, OBSERVATIONS, 0, mask.astype(bool))
    assert (bits[:, :2] == [1, 0]).all()
    assert 0.45 < bits[:, 2].mean() < 0.55
    mask[7, :2] = 0
    with pytest.raises(
        ValueError, match="`action_mask` forbids all.*row 7 the"
    ):
        Bernoulli()(model, OBSERVATIONS, 0, mask.astype(bool))


def test_outputs_of_another_form():
    network = keras.Sequential(
        [keras.Input((1,)), keras.layers.Reshape((1, 1))]
    )
    with pytest.raises(ValueError, match=r"a logit for each bit, \[N, D\] for"):
        Bernoulli()(network, OBSERVATIONS[:2], 0)


@pytest.mark.parametrize("size", [2, 3, 5, 6])
def test_masks_of_another_length(size):
    with pytest.raises(ValueError, match=r"scores, shape \(2, 4\)\. Received"):
        Bernoulli()(
            constant([0.0, 1.0]), OBSERVATIONS[:2], 0, np.ones((2, size), bool)
        )


CONTRACT = {
    rlk.policies.Bernoulli: {
        "arguments": {"stochastic": False, "seed": 3},
        "bad": {"seed": [-1, 0.5]},
    }
}
