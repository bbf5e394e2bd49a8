import random

import keras
import numpy as np
import pytest

from keras_rlkit import utils


@pytest.mark.parametrize("value", [1, np.int64(7), np.uint8(3)])
def test_positive_integer_accepts_numpy_and_returns_int(value):
    result = utils.check_positive_integer("capacity", value)
    assert type(result) is int and result == value


@pytest.mark.parametrize("value", [0, -3, 2.0, "4", None, True])
def test_positive_integer_refuses(value):
    with pytest.raises(ValueError, match="`capacity` must be a positive int"):
        utils.check_positive_integer("capacity", value)


def test_message_shows_the_value_in_the_house_form():
    with pytest.raises(
        ValueError,
        match=r"^`capacity` must be a positive integer\. "
        r"Received: capacity=-3\.$",
    ):
        utils.check_positive_integer("capacity", -3)


def test_non_negative_integer():
    assert utils.check_non_negative_integer("seed", np.int32(0)) == 0
    with pytest.raises(ValueError, match=r"Received: seed=-1\."):
        utils.check_non_negative_integer("seed", -1)


@pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "1", True])
def test_positive_number_refuses(value):
    with pytest.raises(ValueError, match="`rate` must be a positive, finite"):
        utils.check_positive_number("rate", value)


def test_fraction_bounds():
    assert utils.check_fraction("discount", 1) == 1.0
    assert utils.check_fraction("discount", 0) == 0.0
    with pytest.raises(ValueError, match=r"in \(0, 1\]\. Received: rate=0"):
        utils.check_fraction("rate", 0, zero=False)
    for value in (-0.1, 1.1, np.nan, None):
        with pytest.raises(ValueError, match="`discount` must be a number"):
            utils.check_fraction("discount", value)


def test_choice():
    assert utils.check_choice("format", "gif", ("gif", "mp4")) == "gif"
    with pytest.raises(ValueError, match=r"\['gif', 'mp4'\]\. Received: form"):
        utils.check_choice("format", "avi", ("gif", "mp4"))


def test_generator_with_a_seed_repeats():
    first, second = utils.make_generator(3), utils.make_generator(3)
    assert first.integers(1 << 30) == second.integers(1 << 30)


def test_generator_without_a_seed_follows_keras():
    keras.utils.set_random_seed(5)
    first = utils.make_generator(None).integers(1 << 30)
    second = utils.make_generator(None).integers(1 << 30)
    keras.utils.set_random_seed(5)
    assert utils.make_generator(None).integers(1 << 30) == first
    assert first != second
    random.seed()


def test_generator_refuses_a_negative_seed():
    with pytest.raises(ValueError, match=r"Received: seed=-2\."):
        utils.make_generator(-2)
