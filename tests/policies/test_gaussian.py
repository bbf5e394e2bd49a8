import json

import gymnasium
import keras
import numpy as np
import pytest
import scipy.stats

import keras_rlkit as rlk


class FixedOutput:
    """Stands in for a model: the same output for every observation."""

    def __init__(self, output):
        self.output = np.array(output)

    def predict_on_batch(self, observations):
        return np.tile(self.output, (len(observations), 1))


def actions_of(policy, output, num_rows):
    return policy(FixedOutput(output), np.zeros((num_rows, 3)), 0)


def test_distribution_of_each_part():
    policy = rlk.policies.Gaussian(seed=0)
    output = [1.0, -2.0, np.log(0.5), np.log(3.0)]
    actions = actions_of(policy, output, 5000)
    assert actions.shape == (5000, 2) and actions.dtype == np.float32
    for part, (mean, scale) in enumerate([(1.0, 0.5), (-2.0, 3.0)]):
        expected = scipy.stats.norm(mean, scale)
        p_value = scipy.stats.kstest(actions[:, part], expected.cdf).pvalue
        assert p_value > 0.01
    assert abs(np.corrcoef(actions.T)[0, 1]) < 0.05


def test_mean_action():
    policy = rlk.policies.Gaussian(stochastic=False)
    actions = actions_of(policy, [1.0, -2.0, 5.0, 5.0], 3)
    np.testing.assert_array_equal(actions, [[1.0, -2.0]] * 3)


def test_clipping_to_a_space():
    space = gymnasium.spaces.Box(
        np.array([-1.0, -5.0], "float32"), np.array([0.5, 0.0], "float32")
    )
    policy = rlk.policies.Gaussian(False, action_space=space)
    actions = actions_of(policy, [1.0, -7.0, 0.0, 0.0], 1)
    np.testing.assert_array_equal(actions, [[0.5, -5.0]])
    np.testing.assert_array_equal(
        actions_of(rlk.policies.Gaussian(False), [9.0, 0.0], 1), [[9.0]]
    )


def test_seed_and_state():
    def actions(policy):
        return actions_of(policy, [0.0, 0.0], 20)

    policy = rlk.policies.Gaussian(seed=3)
    first = actions(policy)
    np.testing.assert_array_equal(actions(rlk.policies.Gaussian(seed=3)), first)
    assert (actions(rlk.policies.Gaussian(seed=4)) != first).all()
    state = json.loads(json.dumps(policy.get_state()))
    expected = actions(policy)
    other = rlk.policies.Gaussian(seed=9)
    other.set_state(state)
    np.testing.assert_array_equal(actions(other), expected)


def test_keras_model_with_a_value_output():
    inputs = keras.Input((3,))
    outputs = {
        "a_value": keras.layers.Dense(1)(inputs),
        "policy": keras.layers.Dense(4, kernel_initializer="zeros")(inputs),
    }
    policy = rlk.policies.Gaussian(stochastic=False)
    actions = policy(keras.Model(inputs, outputs), np.ones((2, 3)), 0)
    np.testing.assert_array_equal(actions, np.zeros((2, 2)))


def test_bad_outputs_and_arguments_raise():
    with pytest.raises(ValueError, match=r"`Gaussian` needs a model .*\(1, 3"):
        actions_of(rlk.policies.Gaussian(), [0.0, 0.0, 0.0], 1)
    with pytest.raises(ValueError, match="`Gaussian` cannot choose an action"):
        actions_of(rlk.policies.Gaussian(), [np.nan, 0.0], 1)
    with pytest.raises(ValueError, match="`Gaussian` needs a model"):
        actions_of(rlk.policies.Gaussian(), [0.0, -np.inf], 1)
    with pytest.raises(ValueError, match="`action_space` must be a `Box`"):
        rlk.policies.Gaussian(action_space=gymnasium.spaces.Discrete(2))
    with pytest.raises(ValueError, match="`seed` must be a non-negative"):
        rlk.policies.Gaussian(seed=-1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("log_scale", [80.0, 100.0, 800.0, 1e30])
def test_actions_of_an_extreme_scale_are_finite(log_scale):
    policy = rlk.policies.Gaussian(seed=0)
    actions = actions_of(policy, [1.0, log_scale], 50)
    assert actions.dtype == np.float32 and np.isfinite(actions).all()
    assert actions.min() < -1e30 and actions.max() > 1e30
    certain = actions_of(policy, [1.0, -log_scale], 5)
    np.testing.assert_array_equal(certain, np.ones((5, 1)))


CONTRACT = {
    rlk.policies.Gaussian: {
        "arguments": {
            "stochastic": False,
            "action_space": gymnasium.spaces.Box(-1.0, 1.0, (2,)),
            "seed": 3,
        },
        "bad": {"action_space": [3], "seed": [-1]},
    }
}
