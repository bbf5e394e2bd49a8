import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import DictInfoToList

from keras_rlkit.environments import as_vector
from keras_rlkit.environments.adapters.action_masks import mask_size

MIXED = spaces.Dict(
    {
        "b": spaces.MultiBinary(2),
        "a": spaces.Tuple([spaces.Discrete(3), spaces.Box(0, 1)]),
        "c": spaces.MultiDiscrete([2, 3]),
    }
)


class Clock(gymnasium.Env):
    """Allows the action whose number is the step, modulo 3."""

    observation_space = spaces.Box(-1, 100, (1,), "int64")
    action_space = spaces.Discrete(3)

    def __init__(self, length=2, told=lambda mask, steps: mask):
        self.length, self.told = length, told

    def show(self):
        mask = np.arange(3) == self.steps % 3
        mask = self.told(mask, self.steps)
        info = {} if mask is None else {"action_mask": mask}
        return np.array([self.steps]), info

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.show()

    def step(self, action):
        self.steps += 1
        observation, info = self.show()
        return observation, 0.0, self.steps >= self.length, False, info


def masks_of(steps):
    return (np.arange(3) == np.reshape(steps, (-1, 1)) % 3).tolist()


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("mode", AutoresetMode)
def test_each_mask_is_that_of_its_observation(mode, listed):
    environment = SyncVectorEnv(
        [lambda: Clock(2), lambda: Clock(4)], autoreset_mode=mode
    )
    adapter = as_vector(DictInfoToList(environment) if listed else environment)
    observation = adapter.reset()
    assert adapter.action_mask.tolist() == masks_of([0, 0])
    for _ in range(9):
        step = adapter.step(np.array([0, 0]))
        told = masks_of(step.next_observation)
        assert step.next_action_mask.tolist() == told
        shown = step.to_act_on(observation)
        ignored = (step.observation != shown).ravel()
        expected = np.array(masks_of(step.observation))
        # What is done in a row that only resets itself is ignored.
        expected[ignored] = True
        assert step.action_mask.tolist() == expected.tolist()
        assert adapter.action_mask is step.action_mask
        observation = shown


def test_a_single_environment():
    adapter = as_vector(Clock(2))
    adapter.reset()
    assert adapter.action_mask.tolist() == masks_of([0])
    assert adapter.step([0]).action_mask.tolist() == masks_of([1])
    step = adapter.step([0])
    assert step.next_action_mask.tolist() == masks_of([2])
    assert step.action_mask.tolist() == masks_of([0])
    state = adapter.get_state()
    adapter.step([0])
    adapter.set_state(state)
    assert adapter.action_mask.tolist() == masks_of([0])


def test_masks_can_be_left_unread():
    for environment in Clock(), SyncVectorEnv([Clock]):
        adapter = as_vector(environment, action_masks=False)
        adapter.reset()
        assert adapter.action_mask is None
        assert adapter.step([0]).next_action_mask is None


@pytest.mark.parametrize(
    "space, size",
    [
        (spaces.Discrete(3, start=2), 3),
        (spaces.MultiDiscrete([2, 3]), 5),
        (spaces.MultiBinary(2), 4),
        (spaces.Box(0, 1), 0),
        (MIXED, 3 + 4 + 5),
    ],
)
def test_sizes(space, size):
    assert mask_size(space) == size


@pytest.mark.parametrize("num_envs", [None, 2])
def test_nests_of_masks_lie_side_by_side_in_the_order_of_the_keys(num_envs):
    mask = {
        "b": np.array([[1, 0], [0, 1]], "int8"),
        "a": (np.array([1, 1, 0], "int8"),),
        "c": (np.array([0, 1], "int8"), np.array([1, 0, 1], "int8")),
    }

    class Mixed(Clock):
        action_space = MIXED

    def make():
        return Mixed(9, lambda *_: mask)

    adapter = as_vector(
        make() if num_envs is None else SyncVectorEnv([make] * 2)
    )
    adapter.reset()
    expected = [1, 1, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1]
    assert adapter.action_mask.astype(int).tolist() == [expected] * (
        num_envs or 1
    )


@pytest.mark.parametrize(
    "told, message",
    [
        (lambda mask, steps: mask[:2], "of each of the 3 choices of Discrete"),
        (lambda mask, steps: mask * 0.5, "by 0 or 1, for each of its 1 env"),
        (lambda mask, steps: mask * 2, "by 0 or 1, for each of its 1 env"),
        (
            lambda mask, steps: None if steps else mask,
            "must tell `action_mask` with every observation, or with none",
        ),
    ],
)
def test_masks_that_do_not_fit(told, message):
    with pytest.raises(ValueError, match=message):
        adapter = as_vector(Clock(3, told))
        adapter.reset()
        adapter.step([0])


def test_integers_count_from_zero_in_every_part():
    class Played(Clock):
        action_space = spaces.Dict(
            {
                "a": spaces.MultiDiscrete([2, 3], start=[5, -1]),
                "b": spaces.Discrete(2, start=7),
            }
        )

        def step(self, action):
            self.played = action
            return super().step(0)

    environment = Played(9, lambda *_: None)
    adapter = as_vector(environment)
    adapter.reset()
    adapter.step({"a": np.array([[1, 2]]), "b": np.array([1])})
    assert environment.played["a"].tolist() == [6, 1]
    assert environment.played["b"] == 8
    with pytest.raises(
        ValueError, match=r"`actions\['a'\]` must be at least 0 and below \[2 3"
    ):
        adapter.step({"a": np.array([[1, 3]]), "b": np.array([1])})
    with pytest.raises(ValueError, match=r"without \['b'\] and with \[\]"):
        adapter.step({"a": np.array([[1, 2]])})
