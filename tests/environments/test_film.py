import gymnasium
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import RescaleAction, TimeLimit
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from keras_rlkit.environments import as_vector, atari, filmed_copy
from tests.callbacks.scripted_environments import make_by_name, make_scripted


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
