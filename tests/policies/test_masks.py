"""Masks of allowed actions, for every policy that chooses."""

import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.policies.acting import act

P = rlk.policies


def constant(values):
    """A model that gives the same numbers for every observation."""
    inputs = keras.Input((1,))
    outputs = [
        keras.layers.Dense(
            len(row),
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(np.array(row)),
        )(inputs)
        for row in values
    ]
    return keras.Model(inputs, outputs[0] if len(outputs) == 1 else outputs)


OBSERVATIONS = np.zeros((3_000, 1), "float32")


def frequencies(policy, mask, values=((0.0, np.log(2.0), 5.0, 1.0),)):
    masks = np.repeat([mask], len(OBSERVATIONS), axis=0)
    actions = policy(constant(values), OBSERVATIONS, 0, masks)
    return np.bincount(actions, minlength=4) / len(actions)


def test_greedy():
    assert frequencies(P.Greedy(), [1, 1, 0, 1]).tolist() == [0, 0, 0, 1]
    assert frequencies(P.Greedy(), [1, 1, 0, 0]).tolist() == [0, 1, 0, 0]


def test_epsilon_greedy_is_uniform_over_what_is_allowed():
    found = frequencies(P.EpsilonGreedy(1.0, seed=0), [1, 0, 1, 1])
    np.testing.assert_allclose(found, [1 / 3, 0, 1 / 3, 1 / 3], atol=0.03)
    found = frequencies(P.EpsilonGreedy(0.3, seed=0), [1, 1, 0, 0])
    np.testing.assert_allclose(found, [0.15, 0.85, 0, 0], atol=0.03)


def test_categorical_is_the_softmax_of_what_is_allowed():
    found = frequencies(P.Categorical(seed=0), [1, 1, 0, 0])
    np.testing.assert_allclose(found, [1 / 3, 2 / 3, 0, 0], atol=0.03)


@pytest.mark.parametrize(
    "policy",
    [P.Greedy(), P.EpsilonGreedy(0.5, seed=0), P.Categorical(seed=0)],
    ids=lambda policy: type(policy).__name__,
)
def test_all_forbidden_other_lengths_and_a_mask_of_ones(policy):
    model, rows = constant([[0.0, 1.0]]), OBSERVATIONS[:2]
    with pytest.raises(
        ValueError,
        match="cannot choose an action: `action_mask` forbids all. Received: 1 "
        "such rows of 2, row 1 the first",
    ):
        policy(model, rows, 0, np.array([[True, True], [False, False]]))
    with pytest.raises(
        ValueError, match=r"for each choice .* shape \(2, 2\)\. Received: shape"
    ):
        policy(model, rows, 0, np.ones((2, 3), bool))
    state = policy.get_state()
    free = policy(model, OBSERVATIONS, 0)
    policy.set_state(state)
    ones = np.ones((len(OBSERVATIONS), 2), bool)
    np.testing.assert_array_equal(free, policy(model, OBSERVATIONS, 0, ones))


def test_nan_is_found_where_it_is_forbidden():
    with pytest.raises(ValueError, match="the model's output is NaN"):
        P.Greedy()(
            constant([[0.0, np.nan]]), OBSERVATIONS[:1], 0, [[True, False]]
        )


def test_several_choices_have_their_part_of_the_mask():
    model = keras.Model(
        (inputs := keras.Input((1,))),
        {
            "policy": [
                keras.layers.Dense(2)(inputs),
                keras.layers.Dense(3)(inputs),
            ]
        },
    )
    for policy in (P.Greedy(), P.Categorical(), P.EpsilonGreedy(0.5)):
        actions = policy(model, OBSERVATIONS[:9], 0)
        assert actions.shape == (9, 2)
        mask = np.repeat([[0, 1, 0, 0, 1]], 9, axis=0).astype(bool)
        assert (policy(model, OBSERVATIONS[:9], 0, mask) == [1, 2]).all()


def test_who_has_no_masks_is_called_without():
    def own(model, observations, step):
        return "three arguments"

    assert act(own, None, OBSERVATIONS, 0, None) == "three arguments"
    assert act(lambda *a: len(a), None, OBSERVATIONS, 0, [[True]]) == 4
    with pytest.raises(
        ValueError, match="`policy` must take a mask of allowed"
    ):
        act(own, None, OBSERVATIONS, 0, [[True]])
