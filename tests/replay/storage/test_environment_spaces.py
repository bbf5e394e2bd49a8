import types

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from keras_rlkit.environments import as_vector
from keras_rlkit.replay.storage.environment_spaces import check_space


def test_spaces():
    expected = ((4,), np.dtype("float32"), 1, 2)
    environment = gymnasium.make("CartPole-v1")
    assert check_space(environment) == expected
    assert check_space(as_vector(environment)) == expected
    vector = gymnasium.make_vec("CartPole-v1", num_envs=3)
    assert check_space(vector) == ((4,), np.dtype("float32"), 3, 2)
    assert type(check_space(vector)[3]) is int


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
        check_space(environment_with(actions=actions))


def test_observations_that_are_no_single_array():
    both = spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Discrete(2)})
    with pytest.raises(
        ValueError,
        match="`environment` must have one array as observation. Received: obs"
        r"ervation_space=Dict.*\. Wrap it in `gymnasium.wrappers.FlattenObser",
    ):
        check_space(environment_with(observations=both))
