import sys
import types

import gymnasium
import keras
import numpy as np
import pytest
from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import AutoresetMode, VectorEnv

from keras_rlkit.environments import AtariEnvironment, as_vector, atari


@pytest.fixture(autouse=True)
def own_metadata(monkeypatch):
    # ale-py's environments write into the dictionary of all vector ones.
    monkeypatch.setattr(VectorEnv, "metadata", {})


def random_actions(num_steps, num_envs, num_actions, seed=0):
    return np.random.default_rng(seed).integers(
        num_actions, size=(num_steps, num_envs)
    )


def play(environment, actions, **reset_arguments):
    """All steps, and copies of the observations as they were when returned."""
    observation, info = environment.reset(**reset_arguments)
    steps = [(observation, None, None, None, info)]
    copies = [observation.copy()]
    for action in actions:
        steps.append(environment.step(action))
        copies.append(steps[-1][0].copy())
    return steps, copies


@pytest.mark.parametrize(
    "image_size, frame_stack", [((84, 84), 4), ((105, 80), 3), ((64, 96), 1)]
)
def test_spaces_and_first_stack(image_size, frame_stack):
    environment = atari(
        "space_invaders", 2, image_size, frame_stack=frame_stack, seed=0
    )
    shape = (*image_size, frame_stack)
    assert environment.num_envs == 2
    space = environment.single_observation_space
    assert (space.shape, space.dtype) == (shape, np.uint8)
    assert (space.low.min(), space.high.max()) == (0, 255)
    assert environment.observation_space.shape == (2, *shape)
    assert environment.single_action_space == gymnasium.spaces.Discrete(6)
    assert environment.action_space.shape == (2,)

    observation, info = environment.reset()
    assert environment.observation_space.contains(observation)
    assert np.all(observation[..., :-1] == 0)
    assert np.all(observation[..., -1].reshape(2, -1).max(axis=1) > 50)
    np.testing.assert_array_equal(info["lives"], [3, 3])
    assert environment.observation_space.contains(environment.step([0, 1])[0])


@pytest.mark.parametrize("frame_stack", [3, 4])
def test_a_stack_moves_on_by_one_frame(frame_stack):
    environment = atari("breakout", 2, frame_stack=frame_stack, seed=0)
    steps, _ = play(environment, random_actions(200, 2, 4))
    moved, ended = 0, 0
    for (before, *_), (after, _, terminated, truncated, _) in zip(
        steps, steps[1:], strict=False
    ):
        for row in range(2):
            if terminated[row] or truncated[row]:
                ended += 1
                assert np.all(after[row, ..., :-1] == 0)
            else:
                np.testing.assert_array_equal(
                    after[row, ..., :-1], before[row, ..., 1:]
                )
                moved += np.any(after[row, ..., -1] != after[row, ..., -2])
    assert ended >= 1
    assert moved > 100


def test_observations_are_views_that_stay():
    environment = atari("space_invaders", 2, seed=0)
    steps, copies = play(environment, random_actions(30, 2, 6))
    for (observation, *_), copy in zip(steps, copies, strict=True):
        np.testing.assert_array_equal(observation, copy)
        # Moved back to where ale-py writes it, it lies in one piece.
        assert not observation.flags.owndata
        assert observation.transpose(0, 3, 1, 2).flags.c_contiguous
    assert np.any(copies[0] != copies[-1])


@pytest.mark.parametrize("sticky_actions", [0.0, 0.25])
def test_the_games_are_those_of_ale(sticky_actions):
    environment = atari("breakout", 2, sticky_actions=sticky_actions)
    reference = AtariVectorEnv(
        "breakout",
        2,
        autoreset_mode=AutoresetMode.SAME_STEP,
        reward_clipping=False,
        repeat_action_probability=sticky_actions,
    )
    actions = random_actions(300, 2, 4)
    received, _ = play(environment, actions, seed=3)
    expected, _ = play(reference, actions, seed=3)
    num_ends = 0
    for ours, theirs in zip(received, expected, strict=True):
        np.testing.assert_array_equal(ours[0], np.moveaxis(theirs[0], 1, -1))
        for name in "lives", "frame_number", "episode_frame_number":
            np.testing.assert_array_equal(ours[4][name], theirs[4][name])
        if theirs[1] is None:
            continue
        for mine, its in zip(ours[1:4], theirs[1:4], strict=True):
            assert mine.dtype == its.dtype
            np.testing.assert_array_equal(mine, its)
        ended = theirs[2]
        assert ("final_obs" in ours[4]) == ended.any()
        if ended.any():
            num_ends += 1
            np.testing.assert_array_equal(ours[4]["_final_obs"], ended)
            final = ours[4]["final_obs"][ended]
            np.testing.assert_array_equal(
                final, np.moveaxis(theirs[4]["final_obs"][ended], 1, -1)
            )
            assert np.any(final != ours[0][ended])
    assert num_ends >= 2


@pytest.mark.parametrize("frame_skip", [1, 3, 4])
def test_a_step_is_frame_skip_frames(frame_skip):
    environment = atari("space_invaders", 2, frame_skip=frame_skip, seed=0)
    steps, _ = play(environment, random_actions(10, 2, 6))
    frames = np.array([step[4]["episode_frame_number"] for step in steps])
    np.testing.assert_array_equal(np.diff(frames, axis=0), frame_skip)
    assert environment.metadata["render_fps"] == 60 / frame_skip


def test_the_score_is_not_clipped():
    environment = atari("space_invaders", 4, seed=0)
    steps, _ = play(environment, random_actions(100, 4, 6))
    rewards = np.concatenate([step[1] for step in steps[1:]])
    # The invaders of the lowest rows bring 5, 10 and 15 points.
    assert set(rewards) >= {0, 5, 10}


def test_noop_max_spreads_the_starts():
    def starts(noop_max):
        environment = atari("breakout", 5, noop_max=noop_max, seed=0)
        return environment.reset()[1]["episode_frame_number"]

    assert len(set(starts(0))) == 1
    assert len(set(starts(30))) > 2


# 42 frames are 10.5 steps: the eleventh is played to its end.
@pytest.mark.parametrize("max_episode_frames", [42, 44])
def test_truncation(max_episode_frames):
    environment = atari(
        "space_invaders", 2, max_episode_frames=max_episode_frames, seed=1
    )
    uncut = environment.twin(2, seed=1, max_episode_frames=10_000)
    actions = random_actions(22, 2, 6)
    steps, _ = play(environment, actions)
    references, _ = play(uncut, actions[:11])
    for time in range(1, 23):
        observation, _, terminated, truncated, info = steps[time]
        assert not terminated.any()
        np.testing.assert_array_equal(truncated, [time in (11, 22)] * 2)
        assert ("final_obs" in info) == (time in (11, 22))
        if time < 11:
            np.testing.assert_array_equal(observation, references[time][0])
    observation, reward, _, _, info = steps[11]
    np.testing.assert_array_equal(info["final_obs"], references[11][0])
    np.testing.assert_array_equal(info["_final_obs"], [True, True])
    np.testing.assert_array_equal(reward, references[11][1])
    assert np.all(observation[..., :-1] == 0)
    assert np.all(info["episode_frame_number"] <= 30)


def test_game_over_and_truncation_in_the_same_step():
    alone = atari("breakout", seed=0)
    actions = random_actions(400, 2, 4)
    steps, _ = play(alone, actions[:, :1])
    ends = [time for time, step in enumerate(steps) if time and step[2][0]]
    game_over = ends[0]

    together = alone.twin(2, seed=0, max_episode_frames=4 * game_over)
    uncut = alone.twin(2, seed=0)
    steps, _ = play(together, actions[:game_over])
    references, _ = play(uncut, actions[:game_over])
    assert not any(step[2].any() or step[3].any() for step in steps[1:-1])
    observation, _, terminated, truncated, info = steps[-1]
    np.testing.assert_array_equal(terminated, [True, False])
    np.testing.assert_array_equal(truncated, [False, True])
    reference, *_, reference_info = references[-1]
    np.testing.assert_array_equal(
        info["final_obs"][0], reference_info["final_obs"][0]
    )
    np.testing.assert_array_equal(info["final_obs"][1], reference[1])
    np.testing.assert_array_equal(observation[0], reference[0])
    assert np.all(observation[1, ..., :-1] == 0)
    np.testing.assert_array_equal(info["lives"], [5, 5])
    # Both count their steps from here.
    for _ in range(5):
        assert not together.step([0, 0])[3].any()


def test_a_masked_reset_starts_the_marked_games():
    environment = atari("breakout", 2, max_episode_frames=40, seed=0)
    steps, _ = play(environment, random_actions(6, 2, 4))
    before = steps[-1][0]
    after, _ = environment.reset(
        options={"reset_mask": np.array([True, False])}
    )
    assert np.all(after[0, ..., :-1] == 0)
    np.testing.assert_array_equal(after[1], before[1])
    truncated = [environment.step([0, 0])[3] for _ in range(10)]
    np.testing.assert_array_equal(
        np.argmax(truncated, axis=0), [10 - 1, 10 - 6 - 1]
    )


@pytest.mark.parametrize(
    "game, sticky_actions",
    [("breakout", 0.0), ("breakout", 0.25), ("space_invaders", 0.25)],
)
def test_a_colour_twin_plays_the_identical_game(game, sticky_actions):
    environment = atari(game, sticky_actions=sticky_actions, seed=5)
    camera = environment.twin(
        seed=5, grayscale=False, image_size=(210, 160), frame_stack=1
    )
    actions = random_actions(500, 1, environment.single_action_space.n)

    def outcome(environment, num_steps=500):
        steps, _ = play(environment, actions[:num_steps])
        return np.array(
            [
                [*step[1:4], step[4]["lives"], step[4]["frame_number"]]
                for step in steps[1:]
            ]
        )

    played, filmed = outcome(environment), outcome(camera)
    np.testing.assert_array_equal(played, filmed)
    rewards, terminated = played[:, 0], played[:, 1]
    assert rewards.sum() > 0
    assert terminated.any() == (game == "breakout")
    # Another seed is another game.
    assert np.any(outcome(environment.twin(seed=6), 100) != played[:100])


def test_settings_and_twin():
    environment = atari("pong", 3, [100, 80], 2, noop_max=5, seed=9)
    assert environment.settings == {
        "game": "pong",
        "num_envs": 3,
        "image_size": (100, 80),
        "frame_stack": 2,
        "frame_skip": 4,
        "sticky_actions": 0.0,
        "noop_max": 5,
        "max_episode_frames": 108_000,
        "full_action_space": False,
        "grayscale": True,
        "num_threads": 0,
        "seed": 9,
    }
    twin = environment.twin(full_action_space=True)
    assert twin.settings == {
        **environment.settings,
        "num_envs": 1,
        "seed": None,
        "full_action_space": True,
    }
    assert twin.single_action_space.n == 18
    with pytest.raises(ValueError, match="Received: frame_skp"):
        environment.twin(frame_skp=2)


def test_render_shows_the_newest_frame_of_every_game():
    environment = atari("space_invaders", 2, seed=0)
    with pytest.raises(ValueError, match=r"before the first `reset\(\)`"):
        environment.render()
    environment.reset()
    observation, *_ = environment.step([3, 0])
    frames = environment.render()
    assert type(frames) is tuple and len(frames) == 2
    for game, frame in enumerate(frames):
        assert (frame.dtype, frame.shape) == (np.uint8, (84, 84, 3))
        for channel in range(3):
            np.testing.assert_array_equal(
                frame[..., channel], observation[game, ..., 3]
            )
        frame[:] = 0
    assert all(frame.any() for frame in environment.render())
    np.testing.assert_array_equal(
        as_vector(environment).render(), environment.render()[0]
    )

    camera = environment.twin(
        grayscale=False, image_size=(210, 160), frame_stack=2, seed=0
    )
    assert camera.single_observation_space.shape == (210, 160, 3, 2)
    camera.reset()
    observation, *_ = camera.step([0])
    (frame,) = camera.render()
    np.testing.assert_array_equal(frame, observation[0, ..., 1])
    # The player's cannon is green.
    assert np.any(frame[..., 1] > frame[..., 0].astype(int) + 50)
    np.testing.assert_array_equal(as_vector(camera).render(), frame)


def test_the_seed_is_that_of_the_first_reset():
    actions = random_actions(20, 2, 6)

    def observations(environment, **reset_arguments):
        return play(environment, actions, **reset_arguments)[1]

    environment = atari("space_invaders", 2, sticky_actions=0.5, seed=7)
    first = observations(environment)
    second = observations(environment)
    again = observations(environment, seed=np.int64(7))
    listed = observations(environment, seed=np.array([7, 8]))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, listed)
    listed = observations(environment, seed=[7, 8])
    np.testing.assert_array_equal(first, listed)
    assert np.any(np.array(first) != np.array(second))
    # A seed given to the first reset stands above the one of the environment.
    other = observations(environment.twin(2, seed=1), seed=7)
    np.testing.assert_array_equal(first, other)
    # Game i plays with seed + i.
    np.testing.assert_array_equal(
        np.array(first)[0, 1], environment.twin(seed=8).reset()[0][0]
    )


def test_without_a_seed_keras_decides():
    def start():
        environment = atari("breakout", noop_max=200)
        return environment.reset()[1]["episode_frame_number"].tolist()

    keras.utils.set_random_seed(1)
    first, second = start(), start()
    keras.utils.set_random_seed(1)
    assert start() == first
    assert first != second


def test_actions_of_any_integer_dtype():
    environment = atari("space_invaders", seed=0)
    reference = environment.twin(seed=0)
    environment.reset()
    reference.reset()
    for dtype in "uint8", "int16", "int32", "uint64":
        received = environment.step(np.array([2], dtype))[0]
        np.testing.assert_array_equal(received, reference.step([2])[0])


def test_an_action_that_does_not_exist_does_not_hang():
    for environment in (
        atari("space_invaders", 2, seed=0),
        as_vector(atari("space_invaders", 2, seed=0)),
        as_vector(AtariVectorEnv("space_invaders", 2)),
    ):
        environment.reset()
        with pytest.raises(ValueError, match=r"`actions` must be in \[0, 6\)"):
            environment.step([0, 6])
        environment.step([0, 5])


def test_it_is_a_gymnasium_vector_environment():
    environment = atari("space_invaders", 2, seed=0)
    assert VectorEnv.metadata == {}
    assert isinstance(environment, VectorEnv)
    assert isinstance(environment, AtariEnvironment)
    assert environment.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert repr(environment) == "AtariEnvironment(num_envs=2)"

    counting = gymnasium.wrappers.vector.RecordEpisodeStatistics(
        environment.twin(2, seed=0, max_episode_frames=40)
    )
    counting.reset()
    for _ in range(10):
        *_, info = counting.step(np.array([0, 1]))
    np.testing.assert_array_equal(info["episode"]["l"], [10, 10])


def test_a_subclass_keeps_its_methods():
    class Named(AtariEnvironment):
        def name(self):
            return self.settings["game"]

    environment = Named(atari("pong").settings)
    assert environment.name() == environment.twin().name() == "pong"
    assert isinstance(environment, VectorEnv)


def test_a_closed_environment():
    environment = atari("pong")
    environment.reset()
    environment.close()
    environment.close()
    for use in environment.reset, lambda: environment.step([0]):
        with pytest.raises(ValueError, match=r"is closed\. .*`twin\(\)`"):
            use()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"game": "SpaceInvaders"}, r"'SpaceInvaders'\. Close .*'space_invad"),
        ({"game": "MsPacman"}, r"Close to it: \['ms_pacman'"),
        ({"game": "breakuot"}, r"Close to it: \['breakout'"),
        ({"game": "?"}, r"`ale_py\.roms\.get_all_rom_ids\(\)` lists"),
        ({"game": None}, r"Received: game=None"),
        ({"num_envs": 0}, "`num_envs` must be a positive integer"),
        ({"image_size": 84}, "`image_size` must be two .* image_size=84"),
        ({"image_size": (84, 84, 1)}, "`image_size` must be two"),
        ({"image_size": (84, 0)}, r"`image_size\[1\]` must be a positive"),
        ({"image_size": (84.0, 84)}, r"`image_size\[0\]` must be a positive"),
        ({"frame_stack": 0}, "`frame_stack` must be a positive integer"),
        ({"frame_skip": 2.0}, "`frame_skip` must be a positive integer"),
        ({"sticky_actions": 1.5}, r"`sticky_actions` must be .* in \[0, 1\]"),
        ({"noop_max": -1}, "`noop_max` must be a non-negative integer"),
        ({"max_episode_frames": 0}, "`max_episode_frames` must be a positive"),
        ({"full_action_space": "yes"}, "`full_action_space` must be one of"),
        ({"grayscale": None}, "`grayscale` must be one of"),
        ({"num_threads": -1}, "`num_threads` must be a non-negative integer"),
        ({"seed": -1}, "`seed` must be a non-negative integer"),
        ({"seed": 2**31 - 1, "num_envs": 2}, "at most 2147483646 with num_env"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        atari(**{"game": "pong", **arguments})


def test_seeds_out_of_range():
    environment = atari("pong", seed=2**31 - 1)
    environment.reset()
    with pytest.raises(ValueError, match="`seed` must be a non-negative"):
        environment.reset(seed=-1)
    with pytest.raises(ValueError, match="`seed` must be at most 2147483647"):
        environment.reset(seed=2**31)
    environment = environment.twin(3)
    for seed, message in [
        ([-1, 0, 1], r"non-negative integer\. .*-1"),
        ([0.5, 1, 2], r"non-negative integer\. .*0\.5"),
        ([2**40, 1, 2], "at most 2147483647 .*1099511627776"),
        ([5, 6], r"one for each of the 3 games\. Received: seed="),
        ([[5, 6, 7]], "one for each of the 3 games"),
        ([True, False, True], "non-negative integer"),
        ([None, 1, 2], "non-negative integer.*None"),
    ]:
        for given in (seed, np.array(seed)):
            with pytest.raises(ValueError, match=f"`seed` must be .*{message}"):
                environment.reset(seed=given)
    # Nothing was begun.
    with pytest.raises(ValueError, match="before the first"):
        environment.render()


def test_numpy_integers_are_counts():
    environment = atari(
        "pong",
        np.int64(1),
        (np.int32(84), np.int64(84)),
        frame_skip=np.int64(2),
        seed=np.int64(0),
    )
    assert environment.reset()[0].shape == (1, 84, 84, 4)


@pytest.mark.parametrize(
    "make, stack_axis, fake_steps",
    [
        (lambda: atari("breakout", 2), -1, False),
        (
            lambda: AtariVectorEnv("breakout", 2, autoreset_mode="SameStep"),
            0,
            0,
        ),
        (
            lambda: AtariVectorEnv("breakout", 2, autoreset_mode="NextStep"),
            0,
            1,
        ),
    ],
)
def test_adapted(make, stack_axis, fake_steps):
    environment = make()
    # ale-py writes the mode of the newest environment over that of the others.
    AtariVectorEnv("breakout", 1, autoreset_mode="SameStep")
    adapter = as_vector(environment)
    assert adapter.num_actions == 4
    before = adapter.reset(seed=0)
    np.testing.assert_array_equal(adapter.lives, [5, 5])
    steps = [adapter.step(action) for action in random_actions(250, 2, 4)]

    ended = np.zeros(2, bool)
    num_ends = 0
    for step in steps:
        assert step.reward.dtype == np.float64
        np.testing.assert_array_equal(step.valid, ~(ended & bool(fake_steps)))
        ended = step.terminated | step.truncated
        num_ends += ended.sum()
        for row in range(2):
            old, after, now = (
                np.moveaxis(stack[row], stack_axis, -1)
                for stack in (before, step.next_observation, step.observation)
            )
            if step.valid[row]:
                np.testing.assert_array_equal(after[..., :-1], old[..., 1:])
            if ended[row] and not fake_steps or not step.valid[row]:
                assert np.all(now[..., :-1] == 0)
                assert step.lives[row] == 5
            else:
                np.testing.assert_array_equal(now, after)
        before = step.observation
    assert num_ends >= 2


def test_adapted_truncation_keeps_the_true_final_observation():
    adapter = as_vector(atari("pong", 2, max_episode_frames=20, seed=0))
    uncut = as_vector(atari("pong", 2, seed=0))
    adapter.reset()
    uncut.reset()
    for _ in range(4):
        adapter.step([2, 3])
        uncut.step([2, 3])
    step, reference = adapter.step([2, 3]), uncut.step([2, 3])
    np.testing.assert_array_equal(step.truncated, [True, True])
    np.testing.assert_array_equal(
        step.next_observation, reference.next_observation
    )
    assert np.all(step.observation[..., :-1] == 0)
    # The patched array lies in memory as the emulator's, frame after frame.
    frames_first = step.next_observation.transpose(0, 3, 1, 2)
    assert frames_first.flags.c_contiguous


def test_environments_that_answer_in_part():
    environment = AtariVectorEnv("pong", 3, batch_size=2)
    with pytest.raises(ValueError, match="batch_size=2 with num_envs=3"):
        as_vector(environment)


def test_seeds_of_the_games_that_start():
    environment = atari("breakout", 3, noop_max=200, seed=0)
    environment.reset()
    mask = np.array([False, True, True])
    started, _ = environment.reset(seed=5, options={"reset_mask": mask})
    expected, _ = environment.twin(3).reset(seed=5)
    np.testing.assert_array_equal(started[mask], expected[mask])
    # Whatever game 0 would get, it plays on.
    again, _ = environment.reset(
        seed=[9, 6, 7], options={"reset_mask": mask.copy()}
    )
    np.testing.assert_array_equal(again[mask], expected[mask])


def test_gymnasium_films_it(monkeypatch, tmp_path):
    # The wrapper writes its files with a package that may be missing.
    written = []

    class Clip:
        def __init__(self, frames, fps):
            written.append((np.array(frames), fps))

        def write_videofile(self, path, logger):
            pass

    for name in ("moviepy", "moviepy.video", "moviepy.video.io"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    module = types.SimpleNamespace(ImageSequenceClip=Clip)
    monkeypatch.setitem(
        sys.modules, "moviepy.video.io.ImageSequenceClip", module
    )
    environment = gymnasium.wrappers.vector.RecordVideo(
        atari("pong", 2, image_size=(20, 16), seed=0),
        str(tmp_path / "films"),
        video_length=3,
        video_aspect_ratio=(2, 1),
    )
    first, _ = environment.reset()
    for _ in range(4):
        environment.step(np.zeros(2, int))
    ((frames, rate),) = written
    # Two games of 20 x 16 beside each other, 60 / 4 steps a second.
    assert frames.shape == (4, 20, 32, 3) and rate == 15
    np.testing.assert_array_equal(frames[0, :, :16, 0], first[0, ..., -1])
    np.testing.assert_array_equal(frames[0, :, 16:, 0], first[1, ..., -1])
    environment.close()
