import numpy as np
import pytest

from keras_rlkit.replay import EpisodeBuffer, ReplayBuffer

ONES = np.ones((2, 3), bool)


def step(**changes):
    return {
        "observation": np.zeros((2, 1), "float32"),
        "action": np.array([0, 2]),
        "reward": np.zeros(2),
        "terminated": np.zeros(2, bool),
        "truncated": np.zeros(2, bool),
        "next_observation": np.zeros((2, 1), "float32"),
        "action_mask": ONES,
        "next_action_mask": ONES,
        **changes,
    }


def make(**arguments):
    return ReplayBuffer(
        10,
        (1,),
        "float32",
        num_envs=2,
        **{"num_actions": 3, "action_masks": True, **arguments},
    )


def test_a_mask_is_stored_with_its_observation():
    # Two steps joined: the mask of the first observation, and of the last.
    buffer = make(n_step=2, discount=0.5)
    masks = np.random.default_rng(0).random((4, 2, 3)) < 0.6
    masks[:, 0, 0] = masks[:, 1, 2] = True
    for number in range(3):
        buffer.add(
            **step(
                observation=np.full((2, 1), number, "float32"),
                next_observation=np.full((2, 1), number + 1, "float32"),
                action_mask=masks[number],
                next_action_mask=masks[number + 1],
            )
        )
    observation, rest = buffer.transitions()
    assert observation[:, 0].tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(rest["action_mask"], masks[:2].reshape(4, 3))
    np.testing.assert_array_equal(
        rest["next_action_mask"], masks[2:].reshape(4, 3)
    )


def test_integers_are_masks_too():
    buffer = make()
    buffer.add(**step(action_mask=np.array([[1, 0, 0], [0, 0, 1]], "int8")))
    _, rest = buffer.transitions()
    assert rest["action_mask"].tolist() == [
        [True, False, False],
        [False, False, True],
    ]
    assert rest["action_mask"].dtype == bool


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"action_mask": np.array([[True] * 3, [True, True, False]])},
            r"`action` must be allowed by `action_mask`. Received: action=2"
            r" with action_mask=\[ True  True False\] in row 1",
        ),
        ({"action_mask": ONES[:, :2]}, r"must have shape \(2, 3\).*\(2, 2\)"),
        ({"action_mask": None}, "Received: action_mask=None"),
        ({"next_action_mask": None}, "Received: next_action_mask=None"),
        ({"action_mask": ONES * 0.5}, "must hold booleans"),
        ({"action_mask": ONES * 2}, "must hold booleans"),
        (
            {"next_action_mask": ~ONES},
            "must allow an action unless .* all actions forbidden in row 0",
        ),
        (
            {"next_action_mask": ~ONES, "truncated": np.ones(2, bool)},
            "all actions forbidden in row 0",
        ),
    ],
)
def test_masks_that_can_not_be(changes, message):
    buffer = make()
    with pytest.raises(ValueError, match=message):
        buffer.add(**step(**changes))
    assert len(buffer) == 0


def test_a_terminal_state_and_rows_that_are_not_valid_may_forbid_all():
    buffer = make()
    buffer.add(
        **step(next_action_mask=~ONES, terminated=np.ones(2, bool)),
    )
    nothing = {"action_mask": ~ONES, "next_action_mask": ~ONES}
    buffer.add(**step(**nothing, valid=np.zeros(2, bool)))
    assert len(buffer) == 2


def test_a_buffer_without_masks_takes_none():
    buffer = make(action_masks=False)
    with pytest.raises(ValueError, match="`action_mask` has no place in a buf"):
        buffer.add(**step())
    buffer.add(**step(action_mask=None, next_action_mask=None))
    assert set(buffer.transitions()[1]) == {
        "action",
        "reward",
        "discount",
        "next_observation",
    }


def test_masks_need_to_know_their_length():
    with pytest.raises(ValueError, match="`action_masks` needs `num_actions`"):
        make(num_actions=None)
    with pytest.raises(ValueError, match="`action_masks` needs `num_actions`"):
        EpisodeBuffer(0.9, lambda_=0.9, action_shape=(2,), action_masks=True)
    with pytest.raises(ValueError, match="`action_masks` needs `lambda_`"):
        EpisodeBuffer(0.9, num_actions=3, action_masks=True)


def test_an_epoch_hands_masks_to_whoever_evaluates():
    buffer = EpisodeBuffer(
        0.9,
        lambda_=0.5,
        observation_shape={"a": (1,)},
        num_envs=2,
        num_actions=3,
        action_masks=True,
    )
    masks = np.array([[[1, 0, 1], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], bool)
    observation = {"a": np.zeros((2, 1), "float32")}
    for number in (0, 1):
        buffer.add(
            **step(
                observation=observation,
                next_observation=observation,
                action_mask=masks[number],
                next_action_mask=masks[1 - number],
            )
        )
    seen = []

    def evaluate(observations, actions, action_mask):
        seen.append((observations, actions, action_mask))
        return np.zeros(len(actions)), np.zeros(len(actions))

    buffer.finish(evaluate)
    ((observations, actions, mask),) = seen
    # Four steps, and the two states whose future was not played.
    assert observations["a"].shape == (6, 1) and actions.shape == (6,)
    np.testing.assert_array_equal(mask[:4], masks.reshape(4, 3))
    np.testing.assert_array_equal(mask[4:], masks[0])
    _, targets, _ = buffer.samples()
    np.testing.assert_array_equal(targets["action_mask"], masks.reshape(4, 3))
