import json

import keras
import numpy as np
import pytest
import scipy.stats

import keras_rlkit as rlk


class FixedOutput:
    """Stands in for a model: the same logits for every observation."""

    def __init__(self, logits):
        self.logits = np.array(logits)

    def predict_on_batch(self, observations):
        return np.tile(self.logits, (len(observations), 1))


def observations(num_rows):
    return np.zeros((num_rows, 3), "float32")


def actions_of(policy, model, num_rows, num_calls=1):
    return np.stack(
        [policy(model, observations(num_rows), 0) for _ in range(num_calls)]
    )


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
@pytest.mark.parametrize(
    "probabilities", [[0.5, 0.5], [0.1, 0.2, 0.3, 0.4], [0.97, 0.01, 0.02]]
)
def test_frequencies_are_the_softmax(probabilities, shift):
    logits = np.log(probabilities) + shift
    actions = actions_of(
        rlk.policies.Categorical(seed=0), FixedOutput(logits), 20_000
    )
    assert actions.dtype == np.int64
    counts = np.bincount(actions.ravel(), minlength=len(probabilities))
    expected = 20_000 * np.array(probabilities)
    assert scipy.stats.chisquare(counts, expected).pvalue > 0.01


def test_every_row_has_its_own_probabilities():
    class TwoRows:
        def predict_on_batch(self, observations):
            return np.log([[0.2, 0.8], [0.6, 0.4]])

    actions = actions_of(rlk.policies.Categorical(seed=0), TwoRows(), 2, 5000)
    joint = np.bincount(2 * actions[:, 0] + actions[:, 1], minlength=4)
    # Independent: the products of the rows' probabilities.
    expected = 5000 * np.array([0.12, 0.08, 0.48, 0.32])
    assert scipy.stats.chisquare(joint, expected).pvalue > 0.01


def test_forbidden_actions_are_never_drawn():
    actions = actions_of(
        rlk.policies.Categorical(seed=0),
        FixedOutput([0.0, -np.inf, 0.0]),
        10_000,
    )
    assert set(actions.ravel()) == {0, 2}


def test_same_seed_same_actions():
    def actions(seed):
        policy = rlk.policies.Categorical(seed=seed)
        return actions_of(policy, FixedOutput(np.zeros(10)), 8, 10)

    np.testing.assert_array_equal(actions(7), actions(7))
    assert (actions(7) != actions(8)).any()
    keras.utils.set_random_seed(3)
    first = actions(None)
    assert (first != actions(None)).any()
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(actions(None), first)


def test_state_continues_exactly():
    policy, model = rlk.policies.Categorical(seed=0), FixedOutput(np.zeros(10))
    actions_of(policy, model, 8, 3)
    state = json.loads(json.dumps(policy.get_state()))
    expected = actions_of(policy, model, 8, 5)
    other = rlk.policies.Categorical(seed=99)
    other.set_state(state)
    np.testing.assert_array_equal(actions_of(other, model, 8, 5), expected)


def test_keras_model_with_a_value_output():
    inputs = keras.Input((3,))
    logits = keras.layers.Dense(2, name="logits")
    outputs = {
        "a_value": keras.layers.Dense(1)(inputs),
        "logits": logits(inputs),
    }
    model = keras.Model(inputs, outputs)
    logits.bias.assign(np.log([0.25, 0.75]))
    actions = actions_of(rlk.policies.Categorical(seed=0), model, 4000)
    counts = np.bincount(actions.ravel(), minlength=2)
    assert scipy.stats.chisquare(counts, [1000, 3000]).pvalue > 0.01


@pytest.mark.parametrize(
    "logits", [[0.0, np.nan], [0.0, np.inf], [-np.inf, -np.inf]]
)
def test_logits_without_a_softmax_raise(logits):
    with pytest.raises(
        ValueError, match="`Categorical` cannot choose an action: .* 4 of 4"
    ):
        actions_of(rlk.policies.Categorical(seed=0), FixedOutput(logits), 4)


def test_wrong_seed_raises():
    with pytest.raises(ValueError, match="`seed` must be a non-negative"):
        rlk.policies.Categorical(seed=0.5)


CONTRACT = {
    rlk.policies.Categorical: {
        "arguments": {"seed": 3},
        "bad": {"seed": [-1, 0.5]},
    }
}
