"""Parts that files or pickles lose something of are refused."""

import keras
import numpy as np
import pytest

from tests.testing.faulty_parts import Draws, Scale, check_layer, check_policy

# XLA and mixed precision are looked at elsewhere.
SKIP = dict.fromkeys(
    ("jit_compile", "steps_per_execution", "mixed_bfloat16", "mixed_float16"),
    "checked in test_training_checks.py",
)


def broken(part, **changes):
    made = type("Broken", (part,), {"__doc__": part.__doc__, **changes})
    return keras.saving.register_keras_serializable("tests_saving")(made)


def test_whole_parts_pass():
    check_layer(Scale)
    check_policy(Draws)


def build_a_constant(self, input_shape):
    Scale.build(self, input_shape)
    # No weight, so no file keeps it.
    self.noise = np.random.default_rng().normal()


def call_with_noise(self, inputs):
    return Scale.call(self, inputs) * self.noise


def test_a_layer_that_a_file_loses_a_constant_of():
    layer = broken(Scale, build=build_a_constant, call=call_with_noise)
    with pytest.raises(AssertionError, match="'file': a copy must give"):
        check_layer(layer, skip=SKIP)


def save_nothing(self, store):
    pass


def test_a_layer_that_does_not_save_its_weight():
    layer = broken(
        Scale,
        save_own_variables=save_nothing,
        load_own_variables=save_nothing,
    )
    with pytest.raises(AssertionError, match="'file': the weight .*offset"):
        check_layer(layer, skip=SKIP)


def wrong_shape(self, input_shape):
    return (*input_shape[:-1], 7)


def test_a_layer_that_foretells_another_shape():
    layer = broken(Scale, compute_output_shape=wrong_shape)
    with pytest.raises(AssertionError, match="'shapes': the output must have"):
        check_layer(layer, skip=SKIP)


class Unpicklable(Draws):
    """Has a function of its own.

    Args:
        seed: Non-negative integer.

    Example:

    >>> ...
    """

    def __init__(self, seed=None):
        super().__init__(seed)
        self.schedule = (value for value in range(3))


class StartsAnew(Draws):
    __doc__ = Unpicklable.__doc__

    def __reduce__(self):
        return StartsAnew, (3,)


@pytest.mark.parametrize(
    "policy, message",
    [
        (Unpicklable, "'pickle': TypeError"),
        (StartsAnew, "'pickle': a pickled or copied policy must play on"),
    ],
)
def test_a_policy_that_can_not_be_pickled(policy, message):
    with pytest.raises(AssertionError, match=message):
        check_policy(policy)
