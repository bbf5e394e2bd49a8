import sys
import types

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import (
    NormalizeObservation,
    RecordVideo,
    RescaleAction,
    TimeLimit,
)
from gymnasium.wrappers import TransformObservation as TransformObservationOfOne
from gymnasium.wrappers.vector import (
    RecordEpisodeStatistics,
    RescaleObservation,
    TransformObservation,
    VectorizeTransformObservation,
)

from keras_rlkit.environments import as_vector, atari, filmed_copy
from keras_rlkit.environments.copies.wrapper_state import take_over
from keras_rlkit.environments.film.film_step import film_step
from tests.callbacks.scripted_environments import (
    Scripted,
    make_by_name,
    make_scripted,
)


def count_steps(film, limit=1_000):
    """Plays an episode; returns its length."""
    film.reset()
    for count in range(1, limit):
        step = film.step(np.array([1]))
        if step.terminated[0] or step.truncated[0]:
            return count
    return limit


def test_one_environment_made_by_name():
    played = make_by_name(lengths=(3,), frame_size=(8, 10))
    film = filmed_copy(played)
    assert count_steps(film) == 3
    assert film.render().shape == (8, 10, 3)
    assert film.num_envs == 1
    # The played one has never been touched.
    assert played.unwrapped.resets == played.unwrapped.steps == 0


def test_an_adapted_environment():
    film = filmed_copy(as_vector(make_by_name(lengths=(4,))))
    assert count_steps(film) == 4


@pytest.mark.parametrize("mode", [None, "sync"])
def test_a_vector_made_by_name_becomes_one_environment(mode):
    played = gymnasium.make_vec(
        "CartPole-v1", num_envs=3, vectorization_mode=mode
    )
    film = filmed_copy(played)
    assert film.num_envs == 1
    assert film.observation_shape == (4,)
    assert film.reset().shape == (1, 4)
    assert film.render().shape == (400, 600, 3)


@pytest.mark.parametrize("mode", [None, "sync"])
def test_arguments_of_a_vector_reach_the_copy(mode):
    played = gymnasium.make_vec(
        "CartPole-v1",
        num_envs=2,
        vectorization_mode=mode,
        max_episode_steps=5,
        sutton_barto_reward=True,
    )
    film = filmed_copy(played)
    film.reset()
    # That reward is 0 while the pole stands; it stands for five steps.
    steps = [film.step(np.array([step % 2])) for step in range(5)]
    assert [step.reward[0] for step in steps] == [0.0] * 5
    assert [step.truncated[0] for step in steps] == [False] * 4 + [True]


def test_arguments_of_a_vector_of_scripted_environments():
    spec = make_by_name().spec
    spec.kwargs = {"lengths": (3,)}
    played = gymnasium.make_vec(
        spec,
        num_envs=2,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": "SameStep"},
        wrappers=[lambda environment: TimeLimit(environment, 2)],
        disable_env_checker=True,
    )
    assert count_steps(filmed_copy(played)) == 2


def test_wrappers_of_one_environment_are_kept():
    played = gymnasium.make("Pendulum-v1", max_episode_steps=7)
    played = RescaleAction(played, -1.0, 1.0)
    film = filmed_copy(played)
    film.reset()
    assert film.action_space.high.item() == 1.0
    ends = [film.step(np.zeros((1, 1))).truncated[0] for _ in range(7)]
    assert ends == [False] * 6 + [True]


def test_wrappers_of_a_vector_that_only_look_on():
    played = RecordEpisodeStatistics(gymnasium.make_vec("CartPole-v1", 2))
    assert filmed_copy(played).num_envs == 1


@pytest.mark.parametrize("vector", [False, True])
def test_the_seed_fixes_the_episodes(vector):
    make = gymnasium.make_vec if vector else gymnasium.make
    played = make("CartPole-v1")

    def first_observations(seed):
        film = filmed_copy(played, seed)
        return np.concatenate([film.reset() for _ in range(2)])

    observations = first_observations(3)
    assert np.any(observations[0] != observations[1])
    np.testing.assert_array_equal(observations, first_observations(3))
    assert np.any(observations != first_observations(4))


class Scale(gymnasium.vector.VectorObservationWrapper):
    """A user's wrapper, which records nothing of its arguments."""

    def __init__(self, env, factor, offset=0.0):
        super().__init__(env)
        self.factor, self.offset = factor, offset

    def observations(self, observations):
        return observations * self.factor + self.offset


def halve(observations):
    return observations / 2


def double(vector):
    space = gymnasium.spaces.Box(-9, 9, (4,), np.float64)
    # For two environments; the copy has one.
    batch = gymnasium.spaces.Box(-9, 9, (2, 4), np.float64)
    return TransformObservation(vector, np.float64, batch, space)


VECTOR_WRAPPERS = {
    "by attributes": lambda vector: Scale(vector, 3.0, offset=1.0),
    "function": lambda vector: TransformObservation(vector, halve),
    "batched space": double,
    "of single ones": lambda vector: RescaleObservation(vector, -1.0, 1.0),
    "given class": lambda vector: VectorizeTransformObservation(
        vector, TransformObservationOfOne, func=halve, observation_space=None
    ),
    "several": lambda vector: Scale(Scale(vector, 2.0), 1.0, offset=0.5),
}


@pytest.mark.parametrize("name", VECTOR_WRAPPERS)
@pytest.mark.parametrize("mode", ["NextStep", "Disabled"])
def test_wrappers_around_a_vector_are_kept(name, mode):
    def make():
        vector = gymnasium.make_vec(
            "MountainCar-v0" if name == "of single ones" else "CartPole-v1",
            2,
            "sync",
            vector_kwargs={"autoreset_mode": mode},
        )
        return VECTOR_WRAPPERS[name](vector)

    film, played = filmed_copy(make(), seed=3), as_vector(make())
    film.reset(seed=5)
    expected = played.reset(seed=5)
    for _ in range(40):
        step, known = film.step([1]), played.step([1, 1])
        for part, whole in zip(step[:6], known[:6], strict=True):
            np.testing.assert_array_equal(part, whole[:1])
    assert film.num_envs == 1 and expected.shape[0] == 2
    assert film.observation_space == played.observation_space


@pytest.mark.parametrize("several", [False, True])
def test_running_statistics_are_those_of_the_played_one(several):
    if several:
        played = gymnasium.wrappers.vector.NormalizeObservation(
            gymnasium.make_vec("CartPole-v1", 2, "sync")
        )
    else:
        played = NormalizeObservation(gymnasium.make("CartPole-v1"))
    adapter = as_vector(played)
    adapter.reset(seed=0)
    for _ in range(50):
        adapter.step(np.ones(adapter.num_envs, int))
    film = filmed_copy(adapter)
    mean, count = played.obs_rms.mean.copy(), played.obs_rms.count
    np.testing.assert_array_equal(film.environment.obs_rms.mean, mean)
    assert film.environment.obs_rms.count == count
    # It gathers on its own, and takes over again when it is told to.
    film.reset()
    film.step([1])
    assert film.environment.obs_rms.count == count + 2
    assert played.obs_rms.count == count
    np.testing.assert_array_equal(played.obs_rms.mean, mean)
    adapter.step(np.ones(adapter.num_envs, int))
    assert take_over(film, adapter) == []
    assert film.environment.obs_rms.count == played.obs_rms.count


def test_wrappers_in_a_vector_are_those_of_its_first_environment():
    played = SyncVectorEnv(
        [lambda: NormalizeObservation(gymnasium.make("CartPole-v1"))] * 2
    )
    adapter = as_vector(played)
    adapter.reset(seed=0)
    for _ in range(20):
        adapter.step([0, 1])
    film = filmed_copy(adapter)
    np.testing.assert_array_equal(
        film.environment.obs_rms.mean, played.envs[0].obs_rms.mean
    )


class Curriculum(gymnasium.Wrapper):
    level = 0

    def __init__(self, env):
        super().__init__(env)
        self.level = 0
        self.random = np.random.default_rng(0)
        self.history = []

    def reset(self, **arguments):
        self.level += 1
        self.history.append(self.level)
        return super().reset(**arguments)


def test_counters_of_wrappers_are_taken_over_and_randomness_is_not():
    played = Curriculum(gymnasium.make("CartPole-v1"))
    for _ in range(3):
        played.reset()
    played.random.random(5)
    film = filmed_copy(played)
    film.reset()
    assert film.environment.level == 4
    assert film.environment.history == [1, 2, 3, 4]
    assert played.history == [1, 2, 3]
    assert film.environment.random is not played.random
    assert film.environment.random.random() == np.random.default_rng(0).random()


def test_what_only_shows_is_not_copied(tmp_path, monkeypatch):
    # The wrapper only asks whether it is installed, until it writes.
    monkeypatch.setitem(sys.modules, "moviepy", types.ModuleType("moviepy"))
    played = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    played = RecordVideo(played, tmp_path / "videos", lambda episode: True)
    film = filmed_copy(TimeLimit(played, 4))
    assert count_steps(film) == 4
    assert list((tmp_path / "videos").iterdir()) == []


class Log(gymnasium.Wrapper):
    def __init__(self, env, path):
        super().__init__(env)
        self.path = path
        self.file = open(path, "w")


class Renamed(gymnasium.Wrapper):
    def __init__(self, env, secret):
        super().__init__(env)
        self._kept = secret


def test_wrappers_that_can_not_be_made_again(tmp_path):
    path = tmp_path / "log.txt"
    log = Log(gymnasium.make("CartPole-v1"), path)
    log.file.write("kept")
    log.file.flush()
    with pytest.raises(
        ValueError,
        match="must have wrappers that can be made a second time.* Received: "
        "Log, which writes into a file. Let the wrapper record",
    ):
        filmed_copy(log)
    assert path.read_text() == "kept"
    log.file.close()
    with pytest.raises(
        ValueError, match="Received: Renamed: its argument `secret` isn't kept"
    ):
        filmed_copy(Renamed(gymnasium.make("CartPole-v1"), 3))


class Gathers(gymnasium.Wrapper):
    def __init__(self, env):
        super().__init__(env)
        self.seen = {object()}


def test_what_can_not_be_taken_over_is_said():
    with pytest.warns(UserWarning, match=r"can't take over Gathers\.seen, and"):
        filmed_copy(Gathers(gymnasium.make("CartPole-v1")))


def test_statistics_in_other_processes_are_said_to_begin_anew():
    played = gymnasium.make_vec(
        "CartPole-v1", 2, "async", wrappers=[NormalizeObservation]
    )
    with pytest.warns(UserWarning, match="can't take over NormalizeObservatio"):
        filmed_copy(played)
    played.close()


def ends_of(environment, episodes=2):
    """Columns in each frame that `film_step` gives; `None` for none."""
    environment.reset()
    seen = []
    while episodes:
        step, frame = film_step(environment, [1] * environment.num_envs)
        episodes -= int(step.terminated[0] or step.truncated[0])
        columns = None if frame is None else (frame[8, :, 1] > 128).sum()
        if step.valid[0]:
            seen.append(columns)
    return seen


@pytest.mark.parametrize("mode", [None, "NextStep", "SameStep", "Disabled"])
def test_the_end_of_an_episode_is_seen(mode):
    def make(length, number=0):
        return Scripted((length, 2), render_mode="rgb_array", number=number)

    environment = make(3)
    if mode is not None:
        environment = SyncVectorEnv(
            [lambda: make(3), lambda: make(1)], autoreset_mode=mode
        )
    # One more column for each step: 1 is what `reset` shows.
    assert ends_of(as_vector(environment)) == [2, 3, 4, 2, 3]
    # Nothing of the looking stays behind.
    assert "reset" not in vars(environment)


def test_atari_shows_the_end_of_a_game():
    settings = {"max_episode_frames": 24, "noop_max": 0, "seed": 3}
    grey = as_vector(atari("breakout", image_size=(210, 160), **settings))
    colour = filmed_copy(grey, seed=3)
    expected = grey.reset()[0, ..., -1]
    colour.reset()
    for count in range(1, 7):
        step, frame = film_step(grey, [1])
        _, shown = film_step(colour, [1])
        expected = step.next_observation[0, ..., -1]
        np.testing.assert_array_equal(frame[..., 0], expected)
        difference = shown @ [0.299, 0.587, 0.114] - expected
        assert np.abs(difference).max() < 12
    assert step.truncated[0] and count == 6
    # The next game's first picture is another.
    assert np.any(step.observation[0, ..., -1] != expected)


@pytest.mark.parametrize(
    "environment",
    [make_scripted(), SyncVectorEnv([make_scripted])],
    ids=["single", "vector"],
)
def test_an_environment_without_a_name(environment):
    with pytest.raises(
        ValueError,
        match="`environment` must have a `spec` to be made a second time. Rec"
        r"eived: environment=.*\. Make it with `gymnasium.make` or `gymnasium",
    ):
        filmed_copy(environment)


def test_what_is_no_environment():
    with pytest.raises(ValueError, match="`environment` must be a `gymnasium"):
        filmed_copy("CartPole-v1")


def test_atari_shows_the_game_that_is_played():
    settings = {"frame_stack": 2, "sticky_actions": 0.3}
    played = atari("breakout", num_envs=2, image_size=(42, 42), **settings)
    film = filmed_copy(played, seed=5)
    # The same game in the resolution of the film, seen by one environment.
    witness = as_vector(
        atari(
            "breakout",
            image_size=(210, 160),
            grayscale=False,
            seed=5,
            **settings,
        )
    )
    observation, seen = film.reset(), witness.reset()
    assert observation.shape == (1, 42, 42, 2)
    assert film.lives.tolist() == witness.lives.tolist() == [5]
    generator = np.random.default_rng(0)
    ends, lives = 0, set()
    for _ in range(600):
        np.testing.assert_array_equal(film.render(), seen[0, ..., -1])
        action = generator.integers(4, size=1)
        shown, known = film.step(action), witness.step(action)
        assert shown.reward == known.reward
        assert shown.terminated == known.terminated
        assert film.lives == shown.lives == known.lives
        ends += int(shown.terminated[0])
        lives.add(int(film.lives[0]))
        seen = known.observation
    # It stays the same game from one to the next.
    assert ends >= 2 and lives >= {1, 2, 3, 4, 5}
    film.close()


def test_every_reset_of_both_emulators_starts_the_same_game():
    film = filmed_copy(
        atari("breakout", image_size=(210, 160), frame_stack=1, noop_max=30)
    )
    pictures = set()
    for _ in range(8):
        observation = film.reset()
        grey = film.render() @ [0.299, 0.587, 0.114]
        # The emulator's own grey differs from this by little.
        assert np.abs(grey - observation[0, ..., 0]).max() < 12
        film.step(np.array([2]))
        pictures.add(observation.tobytes())
    assert len(pictures) > 1
