"""Heads that give distributions of returns."""

import numpy as np
import pytest

import keras_rlkit as rlk

FEATURES = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


def handmade(cls, dueling, **arguments):
    """One feature, two actions, two numbers for each."""
    head = cls(2, 2, dueling=dueling, **arguments)
    head.build((None, 1))
    value = [np.array([[1.0, 10.0]]), np.array([0.5, 0.0])]
    advantage = [np.array([[1.0, 2.0, 3.0, 6.0]]), np.zeros(4)]
    head.set_weights([*(value if dueling else []), *advantage])
    return head


@pytest.mark.parametrize(
    "cls", [rlk.layers.CategoricalValueHead, rlk.layers.QuantileValueHead]
)
@pytest.mark.parametrize(
    "dueling, expected",
    [
        (False, [[2, 4], [6, 12]]),
        # V = 2 * [1, 10] + [0.5, 0]; the means over actions are [4, 8].
        (True, [[2.5 - 2, 20 - 4], [2.5 + 2, 20 + 4]]),
    ],
)
def test_numbers_worked_by_hand(cls, dueling, expected):
    head = handmade(cls, dueling)
    np.testing.assert_allclose(np.array(head(np.array([[2.0]])))[0], expected)


def test_a_hidden_layer_in_each_stream():
    head = rlk.layers.QuantileValueHead(4, num_quantiles=5, units=7)
    output = head(FEATURES)
    assert output.shape == (5, 4, 5)
    streams = 2 * (3 * 7 + 7) + (7 * 5 + 5) + (7 * 20 + 20)
    assert head.count_params() == streams
    assert head.compute_output_shape((None, 6, 3)) == (None, 6, 4, 5)
    # Further axes are left as they are.
    several = head(np.stack([FEATURES, 2 * FEATURES], axis=1))
    np.testing.assert_allclose(
        np.array(several[:, 0]), np.array(output), rtol=1e-5, atol=1e-6
    )


def test_atoms_and_probabilities():
    head = rlk.layers.CategoricalValueHead(2, num_atoms=5, value_range=(-1, 3))
    assert np.array(head.atoms).tolist() == [-1, 0, 1, 2, 3]
    quantiles = rlk.layers.QuantileValueHead(2, num_quantiles=4)
    assert np.array(quantiles.taus).tolist() == [0.125, 0.375, 0.625, 0.875]


CONTRACT = {
    rlk.layers.CategoricalValueHead: {
        "arguments": {
            "num_actions": 3,
            "num_atoms": 5,
            "value_range": (-1.0, 2.0),
            "units": 4,
            "dueling": False,
            "activation": "tanh",
            "kernel_initializer": "glorot_uniform",
        },
        "inputs": FEATURES,
        "bad": {
            "num_actions": [0, 2.5],
            "num_atoms": [1, -3],
            "value_range": [(2, 2), (3, -1)],
            "units": [0],
        },
    },
    rlk.layers.QuantileValueHead: {
        "arguments": {
            "num_actions": 3,
            "num_quantiles": 5,
            "units": 4,
            "dueling": False,
            "activation": "tanh",
            "kernel_initializer": "glorot_uniform",
        },
        "inputs": FEATURES,
        "bad": {
            "num_actions": [0, 2.5],
            "num_quantiles": [0],
            "units": [0],
        },
    },
}
