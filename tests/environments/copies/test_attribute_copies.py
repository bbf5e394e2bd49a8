import collections
import enum
import functools
import json
import random
import threading
import warnings
from typing import NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from keras_rlkit.environments import as_vector
from keras_rlkit.environments.copies.attribute_copies import (
    CannotCopyError,
    copy_attributes,
    restore_attributes,
)
from keras_rlkit.replay.saving.packing import (
    pack,
    unpack,
)


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


class LockedThread(threading.Thread):
    pass


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (object(), "builtins.object"),
        ({object()}, "set of objects"),
        (np.array([None]), "array of dtype object"),
        (closure({object()}), "set of objects"),
        (closure([1]), None),
        (frozenset([1]), "builtins.frozenset"),
        (collections.Counter(), None),
        (np.random.RandomState(0), None),
        (random.Random(0), None),
        (threading.Lock(), None),
        (threading.Thread(), "threading.Thread"),
        (LockedThread(), "LockedThread"),
        (open, None),
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
    assert state["seed"] == 7
    # No more than what spaces draw from.
    assert "attributes" not in state.get("layers", {})
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


class Level(enum.Enum):
    EASY = 1
    HARD = 2


class Point(NamedTuple):
    x: int
    y: float


class Body:
    """A user's object, with an attribute in a slot."""

    __slots__ = ("__dict__", "__mass")

    def __init__(self, environment):
        self.__mass = 1.0
        self.environment = environment
        self.where = Point(0, 0.0)
        self.friend = None

    def push(self, amount):
        self.__mass += 0.5
        self.where = Point(self.where.x + 1, self.where.y + amount)
        return self.__mass * self.where.y


class Bodies(Wanderer):
    """Objects, functions and generators of all kinds count in the reward."""

    def __init__(self):
        self.random = random.Random(0)
        self.legacy = np.random.RandomState(0)
        self.lock = threading.Lock()
        self.observation_space = gymnasium.spaces.Box(-9, 9, (2,), seed=0)
        # Nested, and used by nobody else.
        self.ground = gymnasium.spaces.Dict(
            {"a": gymnasium.spaces.Tuple([gymnasium.spaces.Discrete(99)])},
            seed=0,
        )
        pushes = [0]

        def count(amount):
            pushes[0] += 1
            return pushes[0] * amount

        self.count = count
        self.twice = functools.partial(count, amount=2.0)

    def reset(self, seed=None, options=None):
        result = super().reset(seed=seed)
        first = Body(self)
        first.friend = first
        self.push = first.push
        self.bodies = [first]
        self.level = Level.EASY
        return result

    def step(self, action):
        observation, reward, *ends = super().step(action)
        self.level = Level.HARD if self.steps % 3 == 0 else Level.EASY
        if self.steps % 7 == 0:
            body = Body(self)
            body.friend = self.bodies[-1]
            # In front: what a new environment has is another place's.
            self.bodies.insert(0, body)
        reward += self.push(self.random.random()) + self.legacy.random()
        for body in self.bodies:
            reward += body.push(self.level.value) + len(body.environment.visits)
            reward += body.friend.push(0.1) + body.friend.where.x
        reward += self.count(0.5) + self.twice()
        reward += self.observation_space.sample()[0]
        reward += self.ground.sample()["a"][0]
        return observation, float(reward), *ends


def transformed():
    scale = [1.0]

    def stretch(observation):
        scale[0] += 0.25
        return observation * scale[0]

    return gymnasium.wrappers.TransformObservation(
        gymnasium.wrappers.NormalizeReward(
            gymnasium.wrappers.NormalizeObservation(Bodies())
        ),
        stretch,
        None,
    )


def normalized_vector():
    vector = SyncVectorEnv([Bodies, transformed], observation_mode="different")
    return gymnasium.wrappers.vector.NormalizeReward(
        gymnasium.wrappers.vector.NormalizeObservation(vector)
    )


@pytest.mark.parametrize("make", [Bodies, transformed, normalized_vector])
@pytest.mark.parametrize("steps", [0, 20, 50])
def test_objects_of_plain_parts_go_on_the_same(make, steps):
    one, other, third = as_vector(make()), as_vector(make()), as_vector(make())
    one.reset(seed=5)
    play(one, steps, seed=0)
    assert one.settle(seed=1) is None
    state = through_json(one.get_state())
    expected = play(one, 60, seed=2)
    third.reset(seed=8)
    play(third, 25, seed=4)
    for copy in (other, third, one):
        assert copy.set_state(state) is None
        assert play(copy, 60, seed=2) == expected


class Sampled(Wanderer):
    """Draws from the one space that all of its class share."""

    def step(self, action):
        observation, _, *ends = super().step(action)
        return observation, float(self.action_space.sample()), *ends


def test_generators_of_the_spaces_of_a_class():
    space = Sampled.action_space = gymnasium.spaces.Discrete(1_000, seed=3)
    one = as_vector(Sampled())
    one.reset(seed=0)
    # What a space at seed 3 gives first, second, third and fourth.
    drawn = gymnasium.spaces.Discrete(1_000, seed=3)
    drawn = [int(drawn.sample()) for _ in range(4)]
    rewards = [one.step([0]).reward[0] for _ in range(2)]
    one.settle(seed=1)
    state = through_json(one.get_state())
    space.seed(3)
    other = as_vector(Sampled())
    other.set_state(state)
    rewards += [other.step([0]).reward[0] for _ in range(2)]
    assert rewards == drawn


def test_loading_makes_no_object_of_a_class_that_is_not_there():
    one = as_vector(Bodies())
    one.reset(seed=0)
    one.settle(seed=1)
    state = through_json(one.get_state())
    # First met through its method.
    body = state["environment"]["attributes"]["push"]["parts"][0]
    assert body["object"].endswith("test_attribute_copies.Body")
    body["object"] = f"{__name__}.LockedThread"
    with pytest.raises(ValueError, match="an object of .*LockedThread, where"):
        as_vector(Bodies()).set_state(state)


def test_what_a_new_environment_has_none_of_is_not_copied():
    one = as_vector(Wanderer())
    one.reset(seed=0)
    one.environment.late = Body(one.environment)
    with pytest.warns(
        UserWarning, match=r"Wanderer\.late \(.*Body, of which a"
    ):
        assert one.settle(seed=1) is not None


def test_functions_are_never_taken_for_each_other():
    one, other = Wanderer(), Wanderer()
    one.rule, other.rule = closure([1]), transformed
    with pytest.raises(ValueError, match="closure.*lambda>.* for transformed"):
        restore_attributes(other, copy_attributes(one))
    one.rule, other.rule = make_single, transformed
    with pytest.raises(ValueError, match="make_single for transformed"):
        restore_attributes(other, copy_attributes(one))


class Curriculum(gymnasium.Wrapper):
    level = 0

    def reset(self, seed=None, options=None):
        self.level += 1
        observation, info = super().reset(seed=seed, options=options)
        return observation + self.level, info


def test_layers_above_one_that_can_not_be_copied_go_on():
    def make():
        return as_vector(
            Curriculum(gymnasium.wrappers.NormalizeObservation(Engine()))
        )

    one, other = make(), make()
    one.reset(seed=0)
    play(one, 40, seed=0)
    level, count = one.environment.level, one.environment.env.obs_rms.count
    assert level == 2
    with pytest.warns(UserWarning) as told:
        observation = one.settle(seed=7)
    (message,) = [str(warning.message) for warning in told]
    assert "Engine.engine (builtins.object)" in message
    assert "begins new episodes" in message
    assert "after a resume Engine has forgotten" in message
    # The new episode's first reset counts once, in both of them.
    assert one.environment.level == 3
    assert one.environment.env.obs_rms.count == count + 1
    state = through_json(one.get_state())
    assert (other.set_state(state) == observation).all()
    assert other.environment.level == 3
    assert play(other, 40, seed=1) == play(one, 40, seed=1)
    # Said once.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one.settle(seed=8)


def test_half_a_layer_is_not_copied():
    class Handle(Engine):
        number = 0

        def __init__(self):
            Handle.number += 1
            self.body = Handle.number

    one, other = as_vector(Handle()), as_vector(Handle())
    one.reset(seed=0)
    one.settle(seed=1)
    other.set_state(through_json(one.get_state()))
    # The number of a part of its own engine.
    assert other.environment.body == 2


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


class Held(Wanderer):
    """Its reward is told by a part that survives every reset."""

    def __init__(self, part, use):
        self.part, self.use, self.total = part, use, 0

    def step(self, action):
        observation, _, *ends = super().step(action)
        self.total += 1
        return observation, float(self.use(self)), *ends


def count(environment):
    environment.part[environment.total % 3] += 1
    return environment.part[0]


def oldest(environment):
    environment.part[environment.total % 3] = environment.total
    environment.part.move_to_end(0, last=False)
    return sum(key * (i + 1) for i, key in enumerate(environment.part))


def grow(environment):
    environment.part[environment.total % 3].append(1)
    return len(environment.part[0])


def visit(environment):
    environment.part.add((environment.total * 1_003) % 91)
    # The order is that of a set, whatever it has held before.
    return sum(cell * i for i, cell in enumerate(environment.part))


def draw(environment):
    return environment.part()


def last_stage(environment):
    environment.stage = environment.part[environment.total > 5]
    return environment.stage(1.0)


@pytest.mark.parametrize(
    ("make_part", "use"),
    [
        (collections.Counter, count),
        (lambda: collections.defaultdict(int), count),
        (lambda: collections.defaultdict(list), grow),
        (lambda: collections.OrderedDict.fromkeys(range(3)), oldest),
        (set, visit),
        (lambda: np.random.default_rng(5).random, draw),
        (lambda: [lambda x: x, lambda x: 2 * x], last_stage),
    ],
)
def test_parts_that_survive_a_reset_go_on_the_same(make_part, use):
    environment = as_vector(Held(make_part(), use))
    environment.reset(seed=0)
    play(environment, 40, seed=1)
    assert environment.settle(3) is None
    state = through_json(environment.get_state())
    expected = play(environment, 40, seed=2)
    resumed = as_vector(Held(make_part(), use))
    assert resumed.set_state(state) is None
    assert type(resumed.environment.part) is type(environment.environment.part)
    for step, other in zip(expected, play(resumed, 40, seed=2), strict=True):
        np.testing.assert_array_equal(step, other)


def test_a_part_in_use_is_found_again_among_those_there_are():
    stages = [lambda x: x, lambda x: 2 * x]
    environment = Held(stages, draw)
    environment.stage, environment.rule = stages[1], environment.close
    state = through_json(copy_attributes(environment))
    resumed = Held([lambda x: x, lambda x: 2 * x], draw)
    # As the lines differ, so do the functions.
    resumed.part[:] = stages
    resumed.stage, resumed.rule = stages[0], resumed.render
    restore_attributes(resumed, state)
    assert resumed.stage(3.0) == 6.0
    assert resumed.rule == resumed.close


def double(reward):
    return 2 * reward


def test_a_function_that_a_new_environment_lacks_is_said_at_the_save():
    def use(environment):
        environment.part = double
        return 0.0

    environment = as_vector(Held(None, use))
    environment.reset(seed=0)
    environment.step(np.array([0]))
    with pytest.warns(UserWarning, match=r"Held\.part \(double, which a new"):
        assert environment.settle(3) is not None
    resumed = as_vector(Held(None, use))
    first = resumed.set_state(through_json(environment.get_state()))
    np.testing.assert_array_equal(first, environment.reset(3))


def test_a_function_with_an_empty_cell_is_no_obstacle():
    def outer():
        return later

    environment = as_vector(Held(outer, lambda held: 0.0))
    environment.reset(seed=0)
    with pytest.warns(UserWarning, match=r"Held\.part"):
        environment.settle(3)
    later = 1
