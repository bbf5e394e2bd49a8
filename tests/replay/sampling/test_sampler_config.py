import json

import keras
import pytest

from keras_rlkit.replay import Prioritized, Uniform
from keras_rlkit.replay.sampling.sampler_config import (
    sampler_config,
    sampler_from_config,
)


@pytest.mark.parametrize("beta", [0.5, "schedule"])
def test_a_sampler_comes_back_from_json(beta):
    if beta == "schedule":
        beta = keras.optimizers.schedules.PolynomialDecay(0.4, 10, 1.0)
    sampler = Prioritized(alpha=0.7, beta=beta, epsilon=0.01)
    config = json.loads(json.dumps(sampler_config(sampler)))
    made = sampler_from_config(config)
    assert type(made) is Prioritized
    assert made.get_config() == sampler.get_config()


def test_uniform():
    assert type(sampler_from_config(sampler_config(Uniform()))) is Uniform


def test_names_that_are_no_sampler():
    with pytest.raises(ValueError, match="`sampler` must be one of.*'os'"):
        sampler_from_config({"name": "os", "config": {}})
