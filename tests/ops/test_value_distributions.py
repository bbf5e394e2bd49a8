"""Projections and quantile losses: by hand, and as RLax has them."""

import json
import pathlib

import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from tests.ops.gradients import gradient
from tests.ops.test_q_learning import compiled

CASES = json.loads(
    pathlib.Path(__file__).with_name("rlax_ops.json").read_text()
)["cases"]


def eager(function, *arguments):
    return keras.ops.convert_to_numpy(function(*arguments))


@pytest.mark.parametrize("run", [eager, compiled])
def test_projection_by_hand(run):
    atoms = np.float32([0, 1, 3])
    support = np.float32([[0.25, 2.0], [-5.0, 9.0], [1.0, 1.0]])
    probabilities = np.float32([[0.5, 0.5], [0.3, 0.7], [0.4, 0.6]])
    result = run(
        lambda *parts: rlk.ops.categorical_projection(*parts, atoms),
        support,
        probabilities,
    )
    # 0.25 is a quarter of the way to 1, and 2 halfway between 1 and 3.
    expected = [[0.375, 0.125 + 0.25, 0.25], [0.3, 0, 0.7], [0, 1, 0]]
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_a_projection_keeps_the_mean():
    random = np.random.default_rng(0)
    atoms = np.linspace(-3, 3, 13).astype("float32")
    support = random.uniform(-3, 3, (50, 7)).astype("float32")
    probabilities = random.dirichlet(np.ones(7), 50).astype("float32")
    projected = eager(
        rlk.ops.categorical_projection, support, probabilities, atoms
    )
    np.testing.assert_allclose(projected.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        projected @ atoms, (support * probabilities).sum(axis=1), atol=1e-5
    )


@pytest.mark.parametrize(
    "name", ["categorical_projection", "quantile_huber_loss"]
)
def test_agrees_with_rlax(name):
    case = CASES[name]
    inputs = {
        key: np.array(value, "float32") if isinstance(value, list) else value
        for key, value in case["inputs"].items()
    }
    np.testing.assert_allclose(
        eager(lambda: getattr(rlk.ops, name)(**inputs)),
        case["output"],
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("run", [eager, compiled])
@pytest.mark.parametrize(
    "kappa, expected",
    [
        # u = 2 and -0.5, weights 0.25 and 0.75.
        (1.0, (0.25 * 1.5 + 0.75 * 0.125) / 2),
        (0.0, (0.25 * 2 + 0.75 * 0.5) / 2),
        # Below kappa half the square over kappa.
        (4.0, (0.25 * 0.5 + 0.75 * 0.03125) / 2),
    ],
)
def test_quantile_loss_by_hand(run, kappa, expected):
    result = run(
        lambda quantiles, target: rlk.ops.quantile_huber_loss(
            quantiles, np.float32([0.25]), target, kappa
        ),
        np.float32([[0.0]]),
        np.float32([[2.0, -0.5]]),
    )
    np.testing.assert_allclose(result, [expected], rtol=1e-6)


@pytest.mark.parametrize("run", [eager, compiled])
def test_target_by_hand(run):
    values = np.float32([[2, 4], [np.nan, np.inf]])
    result = run(
        rlk.ops.distributional_target,
        np.float32([1, 3]),
        np.float32([0.5, 0]),
        values,
    )
    np.testing.assert_array_equal(result, [[2, 3], [3, 3]])


def test_divergence_by_hand():
    target = np.float32([[1, 0], [0.25, 0.75]])
    logits = np.log(np.float32([[0.5, 0.5], [0.25, 0.75]]))
    cross_entropy, divergence = map(
        keras.ops.convert_to_numpy,
        rlk.ops.categorical_divergence(target, logits),
    )
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    np.testing.assert_allclose(cross_entropy, [np.log(2), entropy], rtol=1e-6)
    np.testing.assert_allclose(divergence, [np.log(2), 0], atol=1e-6)
    slope = gradient(
        lambda x: rlk.ops.categorical_divergence(target, x)[0], logits
    )
    np.testing.assert_allclose(slope, [[-0.5, 0.5], [0, 0]], atol=1e-6)


def test_taus_of_each_sample():
    quantiles = np.float32([[0.0, 1.0], [2.0, -1.0]])
    target = np.float32([[0.5, 3.0, -2.0], [1.0, 1.0, 4.0]])
    taus = np.float32([[0.1, 0.6], [0.9, 0.3]])
    both = eager(rlk.ops.quantile_huber_loss, quantiles, taus, target)
    for row in range(2):
        alone = eager(
            rlk.ops.quantile_huber_loss,
            quantiles[row : row + 1],
            taus[row],
            target[row : row + 1],
        )
        np.testing.assert_allclose(both[row], alone[0], rtol=1e-6)


def test_gradients_go_to_the_prediction_only():
    quantiles = np.float32([[0.0]])
    target = np.float32([[2.0, -0.5]])
    taus = np.float32([0.25])
    slope = gradient(
        lambda q: keras.ops.sum(rlk.ops.quantile_huber_loss(q, taus, target)),
        quantiles,
    )
    np.testing.assert_allclose(slope, [[(-0.25 + 0.75 * 0.5) / 2]])
    slope = gradient(
        lambda t: keras.ops.sum(
            rlk.ops.quantile_huber_loss(quantiles, taus, t)
        ),
        target,
    )
    np.testing.assert_array_equal(slope, np.zeros((1, 2)))


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda ops: ops.categorical_projection([1.0], [[1.0]], [0.0, 1.0]),
            "`support` must have shape",
        ),
        (
            lambda ops: ops.quantile_huber_loss([[1.0]], [0.1, 0.2], [[1.0]]),
            "`taus` must have size 1",
        ),
    ],
)
def test_shapes_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call(rlk.ops)
