"""Parts whose constructor or configuration is wrong are refused."""

import keras
import pytest

from tests.testing.faulty_parts import Newest, Scale, check_layer, check_sampler


def broken_scale(**changes):
    class Broken(Scale):
        __doc__ = Scale.__doc__

    for name, value in changes.items():
        setattr(Broken, name, value)
    return keras.saving.register_keras_serializable("tests_configuration")(
        Broken
    )


def unchecked(self, factor=1.0, **kwargs):
    keras.layers.Layer.__init__(self, **kwargs)
    self.factor = factor


def silent(self, factor=1.0, **kwargs):
    keras.layers.Layer.__init__(self, **kwargs)
    if factor < 0:
        raise ValueError("bad factor")
    self.factor = factor


def renamed(self, factor=1.0, **kwargs):
    keras.layers.Layer.__init__(self, **kwargs)
    self.multiplier = factor


def rounded(self, factor=1.0, **kwargs):
    Scale.__init__(self, factor, **kwargs)
    self.factor = factor // 3


def base_config(self):
    return keras.layers.Layer.get_config(self)


def constant_config(self):
    return {**base_config(self), "factor": 1.0}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"__init__": unchecked}, "'refusals': factor=-1.0 must be refused"),
        ({"__init__": silent}, "'refusals': the message for factor=-1.0 must"),
        ({"__init__": renamed}, "'arguments': the argument `factor` must be"),
        ({"__init__": rounded}, "'arguments': the attribute `factor` must be"),
        (
            {"get_config": base_config},
            "'configuration': `get_config` must|argu",
        ),
        ({"get_config": constant_config}, "'configuration': .*`factor`"),
    ],
)
def test_a_layer_that_loses_its_argument(changes, message):
    with pytest.raises(AssertionError, match=message):
        check_layer(broken_scale(**changes))


def test_an_argument_at_its_default_proves_nothing():
    message = "`arguments` must give `factor` a value other than its default"
    with pytest.raises(AssertionError, match=message):
        check_layer(Scale, arguments={"factor": 1.0})
    with pytest.raises(AssertionError, match=message):
        check_layer(Scale, arguments={})


def test_a_sampler_whose_configuration_json_cannot_hold():
    class Broken(Newest):
        def get_config(self):
            return {"batches": {self.batches}}

    with pytest.raises(AssertionError, match="'configuration': TypeError"):
        check_sampler(Broken)


def test_a_sampler_that_forgets_its_argument():
    class Broken(Newest):
        def get_config(self):
            return {}

    with pytest.raises(AssertionError, match="'configuration'.*`batches`"):
        check_sampler(Broken)
