import collections
import json

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from keras_rlkit.environments import as_vector
from keras_rlkit.environments.attributes import (
    CannotCopyError,
    copy_attributes,
    restore_attributes,
)
from keras_rlkit.replay.states import pack, unpack


def through_json(state):
    tree, arrays = pack(state)
    return unpack(json.loads(json.dumps(tree)), arrays)


class Wanderer(gymnasium.Env):
    """Every step depends on all kinds of attributes."""

    observation_space = gymnasium.spaces.Box(-1e9, 1e9, (2,), np.float64)
    action_space = gymnasium.spaces.Discrete(2)
    render_mode = None

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.position = np.zeros(2)
        self.path = collections.deque([self.position], maxlen=3)
        self.visits = {(0, 0): 1}
        self.best, self.steps, self.name = None, 0, "start"
        self.corners = [(1.5, np.float32(2.5)), [True]]
        seed = self.np_random.integers(1_000)
        self.rng = np.random.Generator(np.random.MT19937(seed))
        return self.position.copy(), {}

    def step(self, action):
        # In place: the deque's item must be the same array.
        self.position += self.np_random.normal(size=2) + action
        self.position += self.rng.normal()
        self.path.append(self.position)
        cell = tuple(self.position.round().astype(int).tolist())
        self.visits[cell] = self.visits.get(cell, 0) + 1
        self.steps += 1
        self.best = float(self.position[0])
        score = len(self.visits) + sum(point.sum() for point in self.path)
        return self.position.copy(), float(score), self.steps > 30, False, {}


def make_single(name):
    return lambda: gymnasium.make(name)


def make_vector(mode, name="CartPole-v1", num_envs=3):
    return lambda: SyncVectorEnv(
        [make_single(name)] * num_envs, autoreset_mode=mode
    )


COPYABLE = {
    "CartPole": make_single("CartPole-v1"),
    "Acrobot": make_single("Acrobot-v1"),
    "MountainCar": make_single("MountainCar-v0"),
    "FrozenLake": make_single("FrozenLake-v1"),
    "Blackjack": lambda: gymnasium.wrappers.FlattenObservation(
        gymnasium.make("Blackjack-v1")
    ),
    "Wanderer": Wanderer,
    "wrapped": lambda: gymnasium.wrappers.FrameStackObservation(
        gymnasium.wrappers.RecordEpisodeStatistics(
            gymnasium.make("CartPole-v1")
        ),
        3,
    ),
    "next step": make_vector(AutoresetMode.NEXT_STEP),
    "same step": make_vector(AutoresetMode.SAME_STEP),
    "disabled": make_vector(AutoresetMode.DISABLED),
    "wanderers": lambda: SyncVectorEnv([Wanderer, Wanderer]),
    "wrapped vector": lambda: gymnasium.wrappers.vector.RecordEpisodeStatistics(
        make_vector(AutoresetMode.NEXT_STEP)()
    ),
    "vector entry point": lambda: gymnasium.make_vec(
        "CartPole-v1", 2, "vector_entry_point"
    ),
}


def play(environment, steps, seed):
    random = np.random.default_rng(seed)
    played = []
    for _ in range(steps):
        action = random.integers(
            environment.num_actions, size=environment.num_envs
        )
        step = environment.step(action)
        played += [step.reward, step.observation, step.next_observation]
        played += [step.terminated, step.truncated, step.valid]
    return b"".join(array.tobytes() for array in played)


@pytest.mark.parametrize("name", COPYABLE)
@pytest.mark.parametrize("steps", [0, 1, 37])
def test_a_copy_goes_on_the_same(name, steps):
    one = as_vector(COPYABLE[name]())
    one.reset(seed=5)
    play(one, steps, seed=0)
    assert one.settle(seed=1) is None
    state = through_json(one.get_state())
    expected = play(one, 60, seed=2)
    # One that has never been reset, and one in another episode.
    other, third = as_vector(COPYABLE[name]()), as_vector(COPYABLE[name]())
    third.reset(seed=8)
    play(third, 11, seed=4)
    for copy in (other, third, one):
        assert copy.set_state(state) is None
        assert play(copy, 60, seed=2) == expected


def test_shared_objects_stay_shared():
    environment = Wanderer()
    environment.reset(seed=0)
    environment.loop = [environment]
    environment.loop.append(environment.loop)
    copy = Wanderer()
    restore_attributes(copy, through_json(copy_attributes(environment)))
    assert copy.path[-1] is copy.position
    assert copy.loop[0] is copy
    assert copy.loop[1] is copy.loop
    assert copy.path.maxlen == 3
    assert copy.corners == [(1.5, 2.5), [True]]
    assert type(copy.corners[0][1]) is np.float32
    assert copy.visits == {(0, 0): 1}


def test_a_state_is_a_copy():
    environment = Wanderer()
    environment.reset(seed=0)
    state = copy_attributes(environment)
    before = json.dumps(pack(state)[0]), pack(state)[1]
    before = before[0], {k: v.tobytes() for k, v in before[1].items()}
    environment.step(1)
    after = json.dumps(pack(state)[0]), pack(state)[1]
    assert after[0] == before[0]
    assert {k: v.tobytes() for k, v in after[1].items()} == before[1]


def closure(factor):
    return lambda: factor


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (object(), "builtins.object"),
        ({1, 2}, "builtins.set"),
        (np.array([None]), "array of dtype object"),
        (closure([1]), "builtins.function"),
        (collections.Counter(), "collections.Counter"),
        (np.random.RandomState(0), "RandomState"),
        (AutoresetMode.NEXT_STEP.__class__, None),
        (AutoresetMode.NEXT_STEP, None),
        (print.__class__, None),
    ],
)
def test_what_can_not_be_copied_is_refused(value, what):
    environment = Wanderer()
    environment.reset(seed=0)
    environment.part = [value]
    if what is None:
        copy_attributes(environment)
        return
    with pytest.raises(CannotCopyError, match=what):
        copy_attributes(environment)


def test_arrays_that_share_memory_are_refused():
    environment = Wanderer()
    environment.reset(seed=0)
    environment.part = environment.position[:1]
    with pytest.raises(CannotCopyError, match="share memory"):
        copy_attributes(environment)


def test_a_state_of_another_environment():
    state = copy_attributes(gymnasium.make("CartPole-v1"))
    with pytest.raises(
        ValueError, match="a state of .*CartPoleEnv for .*MountainCarEnv"
    ):
        restore_attributes(gymnasium.make("MountainCar-v0"), state)


def test_only_bit_generators_of_numpy_are_made():
    environment = Wanderer()
    environment.reset(seed=0)
    state = through_json(copy_attributes(environment))
    state["attributes"]["rng"]["generator"]["bit_generator"] = "save"
    with pytest.raises(ValueError, match="bit generators. Received: 'save'"):
        restore_attributes(Wanderer(), state)


class Engine(Wanderer):
    """Has a part that is no number."""

    def reset(self, seed=None, options=None):
        self.engine = object()
        return super().reset(seed=seed)


def test_others_begin_new_episodes_from_the_seed():
    one, other = as_vector(Engine()), as_vector(Engine())
    one.reset(seed=0)
    play(one, 5, seed=0)
    observation = one.settle(seed=7)
    state = through_json(one.get_state())
    assert state == {"seed": 7}
    assert (other.set_state(state) == observation).all()
    expected = as_vector(Engine())
    assert (expected.reset(seed=7) == observation).all()
    played = play(expected, 40, seed=1)
    assert play(one, 40, seed=1) == played
    assert play(other, 40, seed=1) == played


def test_one_that_could_not_be_copied_once_is_never_tried_again():
    one = as_vector(Engine())
    one.reset(seed=0)
    assert one.settle(seed=7) is not None
    del one.environment.engine
    assert one.settle(seed=8) is not None
    # Nor is its resumed copy: both begin new episodes at the same saves.
    other = as_vector(Wanderer())
    other.set_state({"seed": 8})
    assert other.settle(seed=9) is not None


def test_atari_begins_new_episodes():
    from keras_rlkit.environments import atari

    one, other = (
        as_vector(atari("breakout", num_envs=2, seed=0)) for _ in range(2)
    )
    one.reset()
    play(one, 3, seed=0)
    observation = one.settle(seed=7)
    assert (other.set_state(one.get_state()) == observation).all()
    assert play(one, 20, seed=1) == play(other, 20, seed=1)
