import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import keras_rlkit as rlk
from keras_rlkit.environments import as_vector, stack_frames


class Counter(gymnasium.Env):
    """Shows the step as a picture and as a number."""

    action_space = spaces.Discrete(2)

    def __init__(self, nest=False):
        self.nest = nest
        picture = spaces.Box(0, 255, (3, 2), "uint8")
        self.observation_space = (
            spaces.Dict(
                {
                    "picture": picture,
                    "rest": spaces.Tuple([spaces.Box(-9, 9, (1,))]),
                }
            )
            if nest
            else picture
        )

    def show(self):
        picture = np.full((3, 2), self.steps, "uint8")
        if not self.nest:
            return picture
        return {
            "picture": picture,
            "rest": (np.array([-self.steps], "float32"),),
        }

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 1
        return self.show(), {}

    def step(self, action):
        self.steps += 1
        return self.show(), 1.0, self.steps > 6, False, {}


def test_the_newest_frame_is_last():
    environment = stack_frames(Counter(), 3)
    assert environment.observation_space.shape == (3, 2, 3)
    observation, _ = environment.reset()
    np.testing.assert_array_equal(observation[2, 1], [1, 1, 1])
    for _ in range(3):
        observation, *_ = environment.step(0)
    np.testing.assert_array_equal(observation[0, 0], [2, 3, 4])
    assert observation in environment.observation_space
    observation, _ = environment.reset()
    np.testing.assert_array_equal(observation[0, 0], [1, 1, 1])


def test_padding_with_zeros():
    observation, _ = stack_frames(Counter(), 3, padding="zeros").reset()
    np.testing.assert_array_equal(observation[0, 0], [0, 0, 1])


def test_nests_are_stacked_part_by_part():
    environment = stack_frames(Counter(nest=True), 2)
    environment.reset()
    observation, *_ = environment.step(1)
    np.testing.assert_array_equal(observation["picture"][1, 1], [1, 2])
    np.testing.assert_array_equal(observation["rest"][0], [[-1, -2]])
    assert observation in environment.observation_space


def test_a_buffer_keeps_each_frame_once_and_gives_the_stacks_back():
    environment = as_vector(
        gymnasium.vector.SyncVectorEnv(
            [lambda: stack_frames(Counter(nest=True), 2)] * 2,
            autoreset_mode="SameStep",
        )
    )
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment, 50, frame_stack={"picture": 2, "rest": (2,)}
    )
    observation = environment.reset(seed=0)
    added = []
    for number in range(20):
        action = np.array([number % 2, 1])
        step = environment.step(action)
        replay.add(
            observation,
            action,
            step.reward,
            step.terminated,
            step.truncated,
            step.next_observation,
        )
        added.append((observation["picture"], step.next_observation["picture"]))
        observation = step.observation
    stored, rest = replay.transitions()
    now, then = (np.concatenate(part) for part in zip(*added, strict=True))
    np.testing.assert_array_equal(stored["picture"], now)
    np.testing.assert_array_equal(rest["next_observation"]["picture"], then)


def test_what_can_not_be_stacked():
    with pytest.raises(ValueError, match="must be a single environment. Recei"):
        stack_frames(gymnasium.make_vec("CartPole-v1", 2), 2)
    with pytest.raises(
        ValueError, match=r"must have `Box` obs.* observation_space=Discrete"
    ):
        stack_frames(gymnasium.make("FrozenLake-v1"), 2)
    with pytest.raises(ValueError, match="`num_frames` must be a positive int"):
        stack_frames(Counter(), 0)
    with pytest.raises(ValueError, match="`padding` must be one of"):
        stack_frames(Counter(), 2, padding="ones")
