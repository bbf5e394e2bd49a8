import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.policies import Bernoulli, Categorical, Gaussian, Independent

OBSERVATIONS = np.random.default_rng(0).normal(size=(6, 2)).astype("float32")


def make_model(**units):
    inputs = keras.Input((2,))
    return keras.Model(
        inputs,
        {name: keras.layers.Dense(n)(inputs) for name, n in units.items()},
    )


def make_policy():
    return Independent(
        {
            "gear": Categorical(seed=0),
            "bits": Bernoulli(seed=1),
            "move": Gaussian(seed=2),
        }
    )


def test_each_part_is_what_its_policy_would_choose():
    model = make_model(gear=3, bits=2, move=4)
    actions = make_policy()(model, OBSERVATIONS, 0)
    outputs = model.predict(OBSERVATIONS, verbose=0)
    for name, policy in make_policy().parts.items():
        expected = policy.choose(outputs[name], 6, 0)
        np.testing.assert_array_equal(actions[name], expected)
    assert make_policy().actions == {
        "gear": "discrete",
        "bits": "binary",
        "move": "continuous",
    }


def test_masks_are_split_in_the_order_of_the_keys():
    # Bits first: 1 and 0; then the gear: the second; moves have no part in it.
    mask = np.repeat([[0, 1, 1, 0, 0, 1, 0]], 6, axis=0).astype(bool)
    model = make_model(gear=3, bits=2, move=4)
    actions = make_policy()(model, OBSERVATIONS, 0, mask)
    assert (actions["bits"] == [1, 0]).all() and (actions["gear"] == 1).all()
    assert np.isfinite(actions["move"]).all()


def test_tuples_and_draws():
    policy = Independent([Categorical(seed=0), Gaussian(stochastic=False)])
    assert policy.actions == ("discrete", "continuous") and not policy.draws
    inputs = keras.Input((2,))
    parts = [keras.layers.Dense(n)(inputs) for n in (3, 2)]
    model = keras.Model(inputs, {"policy": parts})
    first, second = policy(model, OBSERVATIONS, 0)
    assert first.shape == (6,) and second.shape == (6, 1)


def test_the_state_is_that_of_the_parts():
    model = make_model(gear=3, bits=2, move=4)
    policy = make_policy()
    policy(model, OBSERVATIONS, 0)
    state = policy.get_state()
    expected = policy(model, OBSERVATIONS, 0)
    other = make_policy()
    other.set_state(state)
    actions = other(model, OBSERVATIONS, 0)
    for name, value in expected.items():
        np.testing.assert_array_equal(actions[name], value)


@pytest.mark.parametrize(
    "units, message",
    [
        ({"gear": 3, "bits": 2}, r"outputs \['bits', 'gear'\]"),
        ({"gear": 3, "bits": 2, "wheel": 4}, r"'gear', 'wheel'\]"),
    ],
)
def test_other_outputs_are_refused(units, message):
    with pytest.raises(
        ValueError, match="needs a model with an output for each.*" + message
    ):
        make_policy()(make_model(**units), OBSERVATIONS, 0)


@pytest.mark.parametrize("parts", [None, {}, (), Categorical()])
def test_what_is_no_nest_of_policies(parts):
    with pytest.raises(
        ValueError, match="`parts` must be a dictionary or a tu"
    ):
        Independent(parts)


def test_the_example_of_one_part_of_bad_numbers_names_its_policy():
    model = make_model(gear=3, bits=2, move=3)
    with pytest.raises(
        ValueError, match="`Gaussian` needs a model that gives D"
    ):
        make_policy()(model, OBSERVATIONS, 0)


@pytest.mark.parametrize("size", [5, 9])
def test_masks_of_another_length(size):
    model = make_model(gear=3, bits=2, move=4)
    with pytest.raises(ValueError, match=r"scores, shape \(6, 7\)\. Received"):
        make_policy()(model, OBSERVATIONS, 0, np.ones((6, size), bool))


def make_network():
    inputs = keras.Input((3,))
    return keras.Model(inputs, [keras.layers.Dense(n)(inputs) for n in (3, 2)])


CONTRACT = {
    rlk.policies.Independent: {
        "arguments": lambda: {
            "parts": (Categorical(seed=0), Gaussian(seed=0)),
        },
        "bad": {"parts": [None, ()]},
        "make_network": make_network,
        "skip": {
            "actions": "each part has a form of its own",
            "forbidden": "its parts are held to it, and the split of masks "
            "by a test above",
            "diverged": "its parts are held to it",
        },
    }
}
