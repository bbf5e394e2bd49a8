import sys
import types

import ale_py
import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.wrappers import (
    AtariPreprocessing,
    FlattenObservation,
    FrameStackObservation,
    MaxAndSkipObservation,
    TimeLimit,
    TransformObservation,
    TransformReward,
)

import keras_rlkit as rlk
from keras_rlkit.environments import Finding, as_vector, check

gymnasium.register_envs(ale_py)
SKIP = "frame skip applied twice"
STICKY = "sticky actions with an old protocol"
UNSCALED = "unscaled images"
ORDER = "channel order"
HUGE = "rewards of huge scale"
LIMIT = "time limit hidden as terminal"
INFINITE = "values that are not finite"
OUTSIDE = "observations outside their space"
LOST = "final observation lost"
UNPAID = "no reward seen"
ENDLESS = "episodes without an end"
LIFE = "a lost life ends the episode"


def traps(environment, steps=60):
    found = check(environment, steps=steps, verbose=False)
    assert all(type(finding) is Finding and finding.fix for finding in found)
    return [finding.trap for finding in found]


class Corridor(gymnasium.Env):
    """Images of one shape and dtype; a reward a step; ends after `length`."""

    def __init__(
        self,
        shape=(4,),
        dtype="float32",
        brightness=1,
        reward=1.0,
        lengths=(7, 23, 11, 16),
        flag="terminated",
    ):
        self.observation_space = spaces.Box(0, 255, shape, dtype)
        self.action_space = spaces.Discrete(2)
        self.page = np.full(shape, brightness, dtype)
        self.reward, self.lengths, self.flag = reward, lengths, flag
        self.episode = -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.steps = self.episode + 1, 0
        return self.page, {}

    def step(self, action):
        self.steps += 1
        over = self.steps >= self.lengths[self.episode % len(self.lengths)]
        ends = [over and self.flag == f for f in ("terminated", "truncated")]
        return self.page, self.reward, *ends, {}


class OneFlag(gymnasium.Wrapper):
    """Joins the two flags into one, as gym had it."""

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated or truncated, False, info


class NoopStart(gymnasium.Wrapper):
    noop_max = None

    def __init__(self, environment, noop_max):
        super().__init__(environment)
        self.noop_max = noop_max


@pytest.fixture
def resize_without_opencv(monkeypatch):
    # `AtariPreprocessing` needs one function of OpenCV.
    def resize(image, size, interpolation):
        rows = np.linspace(0, image.shape[0] - 1, size[1]).astype(int)
        columns = np.linspace(0, image.shape[1] - 1, size[0]).astype(int)
        return image[rows][:, columns]

    fake = types.SimpleNamespace(resize=resize, INTER_AREA=3)
    monkeypatch.setitem(sys.modules, "cv2", fake)


@pytest.mark.parametrize(
    "name",
    ["CartPole-v1", "MountainCar-v0", "Acrobot-v1", "Pendulum-v1"]
    + [
        "FrozenLake-v1",
        "Taxi-v4",
        "CliffWalking-v1",
        "MountainCarContinuous-v0",
    ],
)
def test_clean_environments(name):
    assert traps(gymnasium.make(name), steps=1_000) == []


def test_clean_cards():
    # Draws, with a reward of 0, are rare; the space was a tuple.
    environment = FlattenObservation(gymnasium.make("Blackjack-v1"))
    assert traps(environment, steps=200) == []


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("name", ["CartPole-v1", "FrozenLake-v1", "Taxi-v4"])
def test_clean_vectors_in_all_modes(name, mode):
    environment = gymnasium.vector.SyncVectorEnv(
        [lambda: gymnasium.make(name)] * 2, autoreset_mode=mode
    )
    assert traps(environment, steps=400) == []


@pytest.mark.parametrize("mode", ["sync", "async", "vector_entry_point"])
def test_clean_vector_environments(mode):
    environment = gymnasium.make_vec("CartPole-v1", 3, vectorization_mode=mode)
    assert traps(environment) == []
    environment.close()


def test_clean_atari():
    environment = rlk.environments.atari("space_invaders", num_envs=2)
    assert traps(environment, steps=200) == []
    assert traps(as_vector(environment)) == []
    assert traps(environment.twin(sticky_actions=0.25, noop_max=0)) == []


def test_clean_atari_of_gymnasium(resize_without_opencv):
    # The bare id: sticky actions, and nothing of the protocol before them.
    assert traps(gymnasium.make("ALE/Pong-v5")) == []
    environment = gymnasium.make(
        "ALE/Pong-v5", frameskip=1, repeat_action_probability=0
    )
    environment = AtariPreprocessing(environment, grayscale_newaxis=True)
    assert traps(environment) == []


def frames_of_a_step(text):
    return int(text.split("plays ")[1].split(" frames")[0])


def test_frame_skip_twice():
    environment = MaxAndSkipObservation(gymnasium.make("ALE/Pong-v5"), skip=4)
    (finding,) = check(environment, steps=5, verbose=False)
    assert finding.trap == SKIP
    assert frames_of_a_step(finding.seen) == 16
    assert "frameskip=1" in finding.fix


def test_frame_skip_in_two_wrappers(resize_without_opencv):
    environment = gymnasium.make("PongNoFrameskip-v4")
    environment = AtariPreprocessing(environment, grayscale_newaxis=True)
    assert traps(environment) == []
    assert traps(MaxAndSkipObservation(environment, skip=2)) == [SKIP]


def test_frame_skip_in_a_wrapper_of_unknown_names():
    class Repeat(gymnasium.Wrapper):
        def step(self, action):
            self.env.step(action)
            return self.env.step(action)

    environment = gymnasium.make("ALE/Pong-v5", frameskip=3)
    assert traps(environment) == []
    (finding,) = check(Repeat(environment), steps=5, verbose=False)
    assert finding.trap == SKIP
    assert frames_of_a_step(finding.seen) == 6


def test_frame_skip_drawn_from_a_range():
    environment = gymnasium.make("Pong-v4")
    assert environment.unwrapped._frameskip == (2, 5)
    assert traps(environment) == []
    assert traps(MaxAndSkipObservation(environment, skip=4)) == [SKIP]


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_frame_skip_inside_a_vector(mode):
    environment = gymnasium.make_vec(
        "ALE/Pong-v5",
        2,
        vectorization_mode=mode,
        wrappers=[MaxAndSkipObservation],
    )
    assert traps(environment, steps=4) == [SKIP]
    environment.close()


def test_sticky_actions_with_no_ops():
    for probability, noop_max, found in [
        (0.25, 30, [STICKY]),
        (0.25, 1, []),
        (0.0, 30, []),
    ]:
        environment = rlk.environments.atari(
            "pong", sticky_actions=probability, noop_max=noop_max
        )
        assert traps(environment, steps=5) == found


def test_sticky_actions_in_gymnasiums_ids(resize_without_opencv):
    for name, options, found in [
        ("PongNoFrameskip-v0", {}, [STICKY]),
        ("PongNoFrameskip-v0", {"noop_max": 0}, []),
        (
            "PongNoFrameskip-v0",
            {"noop_max": 0, "terminal_on_life_loss": True},
            [STICKY],
        ),
        ("PongNoFrameskip-v4", {}, []),
    ]:
        environment = AtariPreprocessing(
            gymnasium.make(name), grayscale_newaxis=True, **options
        )
        assert traps(environment, steps=5) == found


def test_sticky_actions_name_their_probability():
    environment = NoopStart(
        gymnasium.make("ALE/Pong-v5", repeat_action_probability=0.1), 30
    )
    (finding,) = check(environment, steps=5, verbose=False)
    assert "probability 0.10, beside random no-ops" in finding.seen


def test_gymnasiums_own_vector_of_atari():
    # The id sets sticky actions; the vector class adds no-ops, frames first.
    environment = gymnasium.make_vec("ALE/Pong-v5", 2)
    assert traps(environment, steps=6) == [STICKY, ORDER]
    environment = gymnasium.make_vec("ALE/Pong-v5", 2, noop_max=0)
    assert traps(environment, steps=6) == [ORDER]


@pytest.mark.parametrize(
    "dtype, brightness, found",
    [
        ("float32", 200, [UNSCALED]),
        ("float64", 11, [UNSCALED]),
        ("float32", 1, []),
        ("float32", -3, [OUTSIDE]),
        ("uint8", 200, []),
    ],
)
def test_unscaled_images(dtype, brightness, found):
    environment = Corridor((20, 20, 3), dtype, brightness)
    assert traps(environment) == found


def test_features_are_not_images():
    assert traps(Corridor((4,), "float32", 200)) == []
    assert traps(Corridor((5, 5, 3), "float32", 200)) == []


def test_float_copies_of_real_frames():
    environment = gymnasium.make("ALE/Pong-v5")
    space = spaces.Box(0, 255, (210, 160, 3), np.float32)
    as_floats = TransformObservation(
        environment, lambda frame: np.float32(frame), space
    )
    assert traps(as_floats) == [UNSCALED]
    scaled = TransformObservation(
        environment, lambda frame: np.float32(frame) / 255, space
    )
    assert traps(scaled) == []


@pytest.mark.parametrize(
    "shape, found",
    [
        ((3, 64, 64), [ORDER]),
        ((4, 84, 84), [ORDER]),
        ((20, 84, 84), [ORDER]),
        ((1, 210, 160), [ORDER]),
        ((2, 10, 10), [ORDER]),
        ((4, 210, 160, 3), [ORDER]),
        ((4, 3, 84, 84), [ORDER]),
        ((64, 64, 3), []),
        ((84, 84, 20), []),
        ((210, 160, 3, 4), []),
        ((64, 64, 64), []),
        ((84, 84), []),
        ((2, 5, 5), []),
        ((4, 100), []),
    ],
)
def test_channel_order(shape, found):
    assert traps(Corridor(shape, "uint8")) == found


def test_channel_order_of_stacked_frames_names_the_new_shape():
    environment = FrameStackObservation(gymnasium.make("ALE/Pong-v5"), 4)
    (finding,) = check(environment, steps=5, verbose=False)
    assert finding.trap == ORDER
    assert "(4, 210, 160, 3)" in finding.seen
    assert "(210, 160, 3, 4)" in finding.fix


def test_advice_on_channel_order_works():
    environment = FrameStackObservation(gymnasium.make("ALE/Pong-v5"), 4)
    space = spaces.Box(0, 255, (210, 160, 3, 4), np.uint8)
    environment = gymnasium.wrappers.TransformObservation(
        environment, lambda x: np.moveaxis(x, 0, -1), space
    )
    assert traps(environment) == []


@pytest.mark.parametrize("reward, found", [(501, [HUGE]), (-501, [HUGE])])
def test_huge_rewards(reward, found):
    assert traps(Corridor(reward=reward)) == found
    assert traps(Corridor(reward=reward * 0.9)) == []


def test_huge_rewards_of_a_real_environment():
    environment = gymnasium.make("Pendulum-v1")
    assert traps(TransformReward(environment, lambda r: r * 1e4)) == [HUGE]


def test_time_limit_missing():
    environment = gymnasium.make("CartPole-v1").unwrapped
    (finding,) = check(environment, verbose=False)
    assert finding.trap == LIMIT
    assert "limit of 500 steps" in finding.seen
    assert traps(TimeLimit(environment, 500)) == []


def test_time_limit_joined_with_the_end():
    # No random player keeps the pole up for 500 steps.
    environment = OneFlag(gymnasium.make("CartPole-v1"))
    (finding,) = check(environment, steps=5, verbose=False)
    assert finding.trap == LIMIT
    assert "500 steps the environment returns terminated=True" in finding.seen


def test_time_limit_joined_inside_a_vector():
    environment = gymnasium.make_vec(
        "CartPole-v1", 2, vectorization_mode="sync", wrappers=[OneFlag]
    )
    assert traps(environment, steps=4) == [LIMIT]


def test_time_limit_inside_the_environment():
    (finding,) = check(Corridor(lengths=(20,)), steps=100, verbose=False)
    assert finding.trap == LIMIT
    assert "5 of 5 terminated episodes lasted 20 steps" in finding.seen


@pytest.mark.parametrize(
    "options",
    [
        {"lengths": (20,), "flag": "truncated"},
        {"lengths": (20, 21)},
        {"lengths": (9,)},
        {"lengths": (33,)},  # two episodes only
    ],
)
def test_ends_that_are_no_limit(options):
    assert traps(Corridor(**options), steps=98) == []


def test_truncated_episodes_show_that_nothing_is_hidden():
    class Mixed(Corridor):
        def step(self, action):
            self.flag = ("terminated", "truncated")[self.episode % 2]
            return super().step(action)

    assert traps(Mixed(lengths=(20,)), steps=200) == []


def test_time_limit_of_a_vector_class():
    class OneFlagForAll(gymnasium.vector.VectorWrapper):
        def step(self, actions):
            observation, reward, terminated, truncated, info = self.env.step(
                actions
            )
            return (
                observation,
                reward,
                terminated | truncated,
                truncated & False,
                info,
            )

    environment = gymnasium.make_vec(
        "CartPole-v1",
        4,
        vectorization_mode="vector_entry_point",
        max_episode_steps=15,
    )
    assert traps(environment, steps=400) == []
    (finding,) = check(OneFlagForAll(environment), 400, verbose=False)
    assert finding.trap == LIMIT
    assert "lasted 15 steps exactly" in finding.seen


def test_several_traps_at_once():
    environment = Corridor((3, 32, 32), "float32", 255, 1e6, (12,))
    assert traps(environment) == [UNSCALED, ORDER, HUGE, LIMIT]


def test_report(capsys):
    check(Corridor(reward=900))
    report = capsys.readouterr().out
    assert report.startswith("`check` found 1 trap(s) in the environment:\n1. ")
    assert "rewards of huge scale: a single step brought a reward of 900" in (
        report
    )
    assert "\n   Fix: divide the rewards" in report
    check(gymnasium.make("CartPole-v1"), steps=2_000)
    assert capsys.readouterr().out == (
        "`check` found no trap in the environment (2,000 steps).\n"
    )


def test_report_says_what_cannot_be_seen(capsys):
    check(Corridor((20, 20, 1), "uint8"), steps=5)
    assert "Rescaling(1 / 255)" in capsys.readouterr().out
    check(Corridor((20, 20, 1), "float32"), steps=5)
    assert "Rescaling" not in capsys.readouterr().out


def test_environment_is_reset_afterwards():
    environment = gymnasium.make("CartPole-v1")
    expected, _ = environment.reset(seed=3)
    check(environment, seed=3, verbose=False)
    assert environment.unwrapped.state == pytest.approx(expected)
    assert environment.get_wrapper_attr("_elapsed_steps") == 0


def test_bad_input():
    with pytest.raises(ValueError, match="`steps` must be a positive integer"):
        check(gymnasium.make("CartPole-v1"), steps=0)
    with pytest.raises(ValueError, match="`seed` must be a non-negative"):
        check(gymnasium.make("CartPole-v1"), seed=-1)
    with pytest.raises(ValueError, match="must be a `gymnasium.Env`"):
        check("CartPole-v1")


class Game(gymnasium.Env):
    """Shows (steps of the episode / 40, `value`) and tells of lives."""

    action_space = spaces.Discrete(2)

    def __init__(
        self,
        value=0.5,
        first=0.0,
        lengths=(7, 12, 9),
        reward=1.0,
        lives=0,
        reuses=False,
        space=None,
    ):
        self.observation_space = space or spaces.Box(-1, 1, (2,), np.float32)
        self.page = np.zeros(2, self.observation_space.dtype)
        self.value, self.first, self.reuses = value, first, reuses
        self.lengths, self.reward, self.all_lives = lengths, reward, lives
        self.episode = -1

    def show(self):
        self.page[:] = (
            min(self.steps / 40, 1),
            (self.value if self.steps else self.first),
        )
        return self.page if self.reuses else self.page.copy()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.steps, self.lives = (
            self.episode + 1,
            0,
            self.all_lives,
        )
        return self.show(), {"lives": self.lives}

    def step(self, action):
        self.steps += 1
        length = self.lengths[self.episode % len(self.lengths)]
        # The lives are lost at even distances, the last one at the end.
        self.lives = self.all_lives - self.all_lives * self.steps // length
        info = {"lives": max(self.lives, 0)}
        return self.show(), self.reward, self.steps >= length, False, info


def vector_of(make, mode="SameStep"):
    return gymnasium.vector.SyncVectorEnv([make] * 2, autoreset_mode=mode)


def test_the_game_itself_has_no_trap():
    for mode in ("NextStep", "SameStep", "Disabled"):
        assert traps(vector_of(lambda: Game(lives=3), mode)) == []
    assert traps(Game(lives=3), steps=300) == []


@pytest.mark.parametrize(
    "options, seen",
    [
        ({"value": np.nan}, "a value of an observation was nan"),
        ({"value": np.inf}, "a value of an observation was inf"),
        ({"first": np.nan}, "a value of a first observation was nan"),
        ({"reward": np.nan}, "a step brought the reward nan"),
    ],
)
def test_values_that_are_not_finite(options, seen):
    space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    for make in (
        lambda: Game(space=space, **options),
        lambda: vector_of(lambda: Game(space=space, **options)),
        lambda: vector_of(lambda: Game(space=space, **options), "NextStep"),
    ):
        findings = check(make(), steps=40, verbose=False)
        assert findings[0].trap == INFINITE
        assert seen in findings[0].seen


def test_first_observations_of_later_episodes_are_looked_at():
    class Late(Game):
        def show(self):
            self.first = np.nan if self.episode else 0.0
            return super().show()

    for mode in ("NextStep", "SameStep", "Disabled"):
        environment = vector_of(Late, mode)
        assert traps(environment) == [INFINITE]


@pytest.mark.parametrize(
    "options, seen",
    [
        ({"value": 7}, "an observation was 7.0, where the space goes from -1"),
        ({"value": -1.01}, "where the space goes from -1 to 1"),
        ({"first": 7}, "a first observation was 7.0"),
        (
            {"value": 4, "space": spaces.MultiDiscrete([2, 4])},
            "an observation was 4, where the space goes from 0 to 3",
        ),
        (
            {"value": 2, "space": spaces.MultiBinary(2)},
            "an observation was 2, where the space goes from 0 to 1",
        ),
        (
            {"value": 9, "space": spaces.Box(0, 8, (2,), np.uint8)},
            "an observation was 9, where the space goes from 0 to 8",
        ),
    ],
)
def test_observations_outside_their_space(options, seen):
    (finding,) = check(Game(**options), steps=40, verbose=False)
    assert finding.trap == OUTSIDE
    assert seen in finding.seen


@pytest.mark.parametrize(
    "shown, found", [(3, []), (2, [OUTSIDE]), (7, [OUTSIDE])]
)
def test_numbers_outside_a_discrete_space(shown, found):
    class Numbered(Game):
        def show(self):
            return shown

    # From 3 to 6.
    environment = Numbered(space=spaces.Discrete(4, start=3))
    environment.page = np.zeros(2)
    assert traps(environment) == found


def test_bounds_are_kept_up_to_rounding():
    assert traps(Game(value=np.float32(1) + 1e-5)) == []
    wide = spaces.Box(-3.402823e38, 3.402823e38, (2,), np.float32)
    assert traps(Game(value=-5.0, space=wide)) == []


@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
def test_final_observations_that_are_first_ones(mode):
    # gymnasium keeps what `step` returned, and the reset writes into it.
    found = [LOST] if mode == "SameStep" else []
    assert traps(vector_of(lambda: Game(reuses=True), mode)) == found

    class ResetsItself(Game):
        def step(self, action):
            observation, *rest = super().step(action)
            if rest[1]:
                observation = np.float32([0.0, self.first])
            return observation, *rest

    assert traps(ResetsItself()) == [LOST]
    assert traps(vector_of(ResetsItself, mode), 99) == [LOST]


def test_environments_that_stand_still_lose_no_final_observation():
    assert traps(vector_of(Corridor)) == []


def test_no_reward():
    (finding,) = check(Game(reward=0.0), steps=100, verbose=False)
    assert finding.trap == UNPAID
    assert "every reward of 1,000 random steps was 0" in finding.seen
    # Too few steps to say anything.
    assert traps(Game(reward=0.0), steps=99) == []
    assert traps(TransformReward(gymnasium.make("Acrobot-v1"), int), 100) == []


def test_a_rare_reward_is_waited_for():
    class Rare(Game):
        paid = 0

        def step(self, action):
            self.paid += 1
            self.reward = float(self.paid == 900)
            return super().step(action)

    environment = Rare()
    assert traps(environment, steps=100) == []
    assert environment.paid == 900


def test_episodes_without_an_end():
    endless = {"lengths": (10**9,)}
    (finding,) = check(Game(**endless), steps=100, verbose=False)
    assert finding.trap == ENDLESS
    assert "no episode ended in 1,000 random steps" in finding.seen
    assert traps(vector_of(lambda: Game(**endless)), 100) == [ENDLESS]
    assert traps(Game(**endless), steps=99) == []
    # Whatever sets a limit will do, reached or not.
    assert traps(TimeLimit(Game(**endless), 10**6), 100) == []
    assert (
        traps(vector_of(lambda: TimeLimit(Game(**endless), 10**6)), 100) == []
    )


def test_a_late_end_is_waited_for():
    assert traps(Game(lengths=(900,)), steps=100) == []


class LifeIsAnEpisode(gymnasium.Wrapper):
    """Ends an episode with each life; `resumes` the game then."""

    def __init__(self, environment, resumes):
        super().__init__(environment)
        self.resumes, self.left = resumes, 0

    def step(self, action):
        *rest, ended, truncated, info = self.env.step(action)
        lost, self.left = info["lives"] < self.left, info["lives"]
        return *rest, ended or lost, truncated, info

    def reset(self, **arguments):
        if self.resumes and self.left:
            return self.unwrapped.show(), {"lives": self.left}
        observation, info = self.env.reset(**arguments)
        self.left = info["lives"]
        return observation, info


@pytest.mark.parametrize("resumes", [True, False])
@pytest.mark.parametrize("mode", [None, "NextStep", "SameStep", "Disabled"])
def test_lost_lives_as_ends(mode, resumes):
    def make():
        return LifeIsAnEpisode(Game(lives=3), resumes)

    environment = vector_of(make, mode) if mode else make()
    findings = check(environment, steps=90, verbose=False)
    assert LIFE in [finding.trap for finding in findings]
    (finding,) = (f for f in findings if f.trap == LIFE)
    assert "ended with 2 lives left" in finding.seen
    assert "terminal_on_life_loss=True" in finding.fix


def test_lost_lives_as_ends_of_atari(resize_without_opencv):
    def make(**options):
        environment = gymnasium.make(
            "ALE/Breakout-v5", frameskip=1, repeat_action_probability=0
        )
        return AtariPreprocessing(
            environment, grayscale_newaxis=True, noop_max=0, **options
        )

    assert traps(make(terminal_on_life_loss=True), steps=90) == [LIFE]
    assert traps(make(), steps=90) == []
