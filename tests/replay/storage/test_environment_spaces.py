import types

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from keras_rlkit.environments import as_vector
from keras_rlkit.replay.storage.environment_spaces import (
    read_transition_spaces,
)


def test_spaces():
    expected = {
        "observation_shape": (4,),
        "observation_dtype": np.dtype("float32"),
        "num_envs": 1,
        "num_actions": 2,
    }
    environment = gymnasium.make("CartPole-v1")
    assert read_transition_spaces(environment) == expected
    assert read_transition_spaces(as_vector(environment)) == expected
    vector = gymnasium.make_vec("CartPole-v1", num_envs=3)
    read = read_transition_spaces(vector)
    assert read == {**expected, "num_envs": 3}
    assert type(read["num_actions"]) is int


def environment_with(observations=None, actions=None):
    return types.SimpleNamespace(
        observation_space=observations or spaces.Box(0, 1, (2,)),
        action_space=actions or spaces.Discrete(2),
    )


@pytest.mark.parametrize(
    "actions",
    [
        spaces.Box(-1, 1, (1,)),
        spaces.MultiDiscrete([2, 2]),
        spaces.MultiBinary(3),
    ],
)
def test_actions_that_are_not_discrete(actions):
    with pytest.raises(
        ValueError, match=r"`environment` must have discrete actions\. Recei"
    ):
        read_transition_spaces(environment_with(actions=actions))


def test_nests_of_observations():
    nest = spaces.Dict(
        {
            "image": spaces.Box(0, 255, (4, 4, 1), "uint8"),
            "rest": spaces.Tuple(
                [spaces.Discrete(3), spaces.MultiBinary(2), spaces.Box(0, 1)]
            ),
        }
    )
    read = read_transition_spaces(environment_with(observations=nest))
    assert read["observation_shape"] == {
        "image": (4, 4, 1),
        "rest": ((), (2,), (1,)),
    }
    assert read["observation_dtype"] == {
        "image": np.dtype("uint8"),
        "rest": (np.dtype("int64"), np.dtype("int8"), np.dtype("float32")),
    }
    assert "action_masks" not in read


def test_a_mask_in_the_observation_is_no_part_of_it():
    with_mask = spaces.Dict(
        {
            "action_mask": spaces.MultiBinary(2),
            "observation": spaces.Box(0, 1, (3,)),
        }
    )
    read = read_transition_spaces(environment_with(observations=with_mask))
    assert read["observation_shape"] == {"observation": (3,)}
    assert read["action_masks"] is True
    alone = spaces.Dict({"action_mask": spaces.MultiBinary(2)})
    read = read_transition_spaces(environment_with(observations=alone))
    assert read["observation_shape"] == {"action_mask": (2,)}


def test_observations_that_are_no_arrays():
    words = spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Text(3)})
    with pytest.raises(
        ValueError,
        match=r"`environment` must have arrays of numbers as observations .* "
        r"Received: observation_space\['b'\]=Text.*\. Turn it into an array",
    ):
        read_transition_spaces(environment_with(observations=words))
