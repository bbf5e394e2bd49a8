import keras
import numpy as np
import pytest
from scipy import stats

from keras_rlkit.models.policy_outputs import (
    entropy_of,
    log_probability_of,
    num_choices,
)

# By hand: logits that are logarithms of weights.
GEAR = np.log([[1.0, 2.0, 5.0]]).astype("float32")
BITS = np.array([[0.0, np.log(3.0)]], "float32")
MOVE = np.array([[0.5, -1.0, np.log(2.0), 0.0]], "float32")
DISTRIBUTION = {"gear": "categorical", "bits": "bernoulli", "move": "gaussian"}
OUTPUT = {"gear": GEAR, "bits": BITS, "move": MOVE}
ACTION = {
    "gear": np.array([2]),
    "bits": np.array([[1, 0]]),
    "move": np.array([[1.5, -1.0]], "float32"),
}


def log_density():
    return stats.norm(0.5, 2).logpdf(1.5) + stats.norm(-1, 1).logpdf(-1)


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_log_probability_of_a_mixed_action():
    result = numbers(log_probability_of(DISTRIBUTION, OUTPUT, ACTION))
    # 5/8, 1/2, 1/4, and the density.
    expected = np.log(5 / 8 / 2 / 4) + log_density()
    np.testing.assert_allclose(result, [expected], rtol=1e-6)


def test_entropy_of_a_mixed_action():
    result = numbers(entropy_of(DISTRIBUTION, OUTPUT))
    expected = (
        stats.entropy([1, 2, 5])
        + stats.entropy([1, 1])
        + stats.entropy([1, 3])
        + stats.norm(0.5, 2).entropy()
        + stats.norm(-1, 1).entropy()
    )
    np.testing.assert_allclose(result, [expected], rtol=1e-6)


def test_masks_are_of_all_choices_side_by_side():
    assert num_choices(DISTRIBUTION, OUTPUT) == 2 * 2 + 3
    # Bits: the first one free, the second one must be 0. Gear: not the first.
    mask = np.array([[1, 1, 1, 0, 0, 1, 1]], bool)
    result = numbers(log_probability_of(DISTRIBUTION, OUTPUT, ACTION, mask))
    expected = np.log(5 / 7 / 2) + log_density()
    np.testing.assert_allclose(result, [expected], rtol=1e-6)
    result = numbers(entropy_of(DISTRIBUTION, OUTPUT, mask))
    expected = (
        stats.entropy([2, 5])
        + stats.entropy([1, 1])
        + stats.norm(0.5, 2).entropy()
        + stats.norm(-1, 1).entropy()
    )
    np.testing.assert_allclose(result, [expected], rtol=1e-6)


@pytest.mark.parametrize("distribution", ["categorical", "bernoulli"])
def test_a_mask_of_ones_changes_nothing(distribution):
    generator = np.random.default_rng(0)
    output = generator.normal(size=(50, 4)).astype("float32")
    size = (50, 4) if distribution == "bernoulli" else 50
    action = generator.integers(2, size=size)
    ones = np.ones((50, num_choices(distribution, output)), bool)
    for function, arguments in (
        (log_probability_of, (distribution, output, action)),
        (entropy_of, (distribution, output)),
    ):
        np.testing.assert_array_equal(
            numbers(function(*arguments, ones)), numbers(function(*arguments))
        )


def test_several_choices():
    output = [GEAR, np.log([[1.0, 3.0]]).astype("float32")]
    action = np.array([[0, 1]])
    result = numbers(log_probability_of("categorical", output, action))
    np.testing.assert_allclose(result, [np.log(1 / 8 * 3 / 4)], rtol=1e-6)
    mask = np.array([[1, 0, 1, 0, 1]], bool)
    result = numbers(log_probability_of("categorical", output, action, mask))
    np.testing.assert_allclose(result, [np.log(1 / 6)], rtol=1e-6)
    nested = numbers(
        log_probability_of(
            ("categorical", "categorical"), output, (action[:, 0], action[:, 1])
        )
    )
    np.testing.assert_allclose(nested, [np.log(1 / 8 * 3 / 4)], rtol=1e-6)
