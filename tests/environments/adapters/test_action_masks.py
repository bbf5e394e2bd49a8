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
        (lambda mask, steps: {}, "by 0 or 1, for each of its 1 env"),
        (lambda mask, steps: mask * 2, "by 0 or 1, for each of its 1 env"),
        (
            lambda mask, steps: mask if steps else None,
            "with every observation of every environment, from the first reset",
        ),
        (
            lambda mask, steps: None if steps else mask,
            "with every observation of every environment, from the first reset",
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


def test_masks_of_some_environments_only():
    environment = SyncVectorEnv([Clock, lambda: Clock(3, lambda *_: None)])
    for several in environment, DictInfoToList(environment):
        with pytest.raises(ValueError, match="of every environment, from the"):
            as_vector(several).reset()


def test_a_list_has_a_mask_for_each_environment():
    class Listing(gymnasium.vector.VectorWrapper):
        def reset(self, **arguments):
            observation, _ = self.env.reset(**arguments)
            return observation, {"action_mask": [[1, 1, 0], [0, 1, 1]]}

    adapter = as_vector(Listing(SyncVectorEnv([Clock] * 2)))
    adapter.reset()
    assert adapter.action_mask.astype(int).tolist() == [[1, 1, 0], [0, 1, 1]]


@pytest.mark.parametrize("mode", AutoresetMode)
def test_nests_with_infos_as_lists(mode):
    class Nested(Clock):
        observation_space = spaces.Dict({"step": Clock.observation_space})
        action_space = MIXED

        def show(self):
            mask = {"b": np.array([2, 1], "int8"), "a": (None, None), "c": None}
            step = np.array([self.steps])
            return {"step": step}, {"action_mask": mask}

    environment = SyncVectorEnv(
        [lambda: Nested(2), lambda: Nested(3)], autoreset_mode=mode
    )
    action = {
        "a": (np.zeros(2, int), np.zeros((2, 1))),
        "b": np.ones((2, 2), int),
        "c": np.zeros((2, 2), int),
    }
    seen = []
    for several in environment, DictInfoToList(environment):
        adapter = as_vector(several)
        adapter.reset()
        steps = [adapter.step(action) for _ in range(7)]
        seen.append([s.next_observation["step"].tolist() for s in steps])
        # Bits: the first one free, the second one 1; all else is free.
        expected = [1] * 3 + [1, 1, 0, 1] + [1] * 5
        for step in steps:
            told = step.next_action_mask.astype(int).tolist()
            assert told == [expected] * 2
    assert seen[0] == seen[1]


def test_masks_can_be_left_unread_later():
    adapter = as_vector(Clock())
    assert (
        as_vector(adapter) is as_vector(adapter, action_masks=True) is adapter
    )
    unread = as_vector(adapter, action_masks=False)
    assert not unread.reads_action_masks and as_vector(unread) is unread
    assert unread.environment is adapter.environment


def test_numbers_are_no_choices():
    class Played(Clock):
        action_space = spaces.MultiDiscrete([2, 3])

    adapter = as_vector(Played(9, lambda *_: None))
    adapter.reset()
    with pytest.raises(
        ValueError, match="`actions` must be integers for Multi"
    ):
        adapter.step(np.array([[1.7, 0.0]]))
