import gymnasium
import imageio.v3 as iio
import keras
import numpy as np
import pytest
from gymnasium import wrappers

import keras_rlkit as rlk
from keras_rlkit.callbacks import (
    Collector,
    CollectSteps,
    EvaluatePolicy,
    RecordEpisode,
)
from keras_rlkit.policies import Gaussian, Greedy
from tests.callbacks.scripted_environments import (
    Scripted,
    Spy,
    data_of,
    fit,
    make_agent,
    make_buffer,
    make_by_name,
    make_scripted,
)


def filmed(**arguments):
    return Scripted(render_mode="rgb_array", **arguments)


def learn(callbacks, epochs=1):
    """Runs a `fit` in which nothing else plays."""
    buffer = make_buffer(make_scripted())
    collect = CollectSteps(make_scripted(), buffer, Spy(), 1, 4)
    collect.set_model(make_agent())
    collect.on_train_begin()
    agent = make_agent()
    fit(agent, data_of(buffer), callbacks, steps=1, epochs=epochs)
    return agent


def columns(frames):
    """How many columns are white in each frame: one more for each step."""
    return (frames[:, 8, :, 1] > 128).sum(axis=1).tolist()


@pytest.mark.parametrize("file_format", ["gif", "mp4"])
def test_a_film_of_one_episode(tmp_path, file_format):
    environment = filmed(lengths=(5, 9), reward=2.0, frame_size=(48, 64))
    record = RecordEpisode(
        tmp_path, environment=environment, file_format=file_format
    )
    path = tmp_path / f"film.{file_format}"
    assert record.record(make_agent(), path) == 10.0
    frames = iio.imread(path)
    # What was seen before each of the five actions, and after the last one.
    assert frames.shape == (6, 48, 64, 3)
    assert frames.dtype == np.uint8
    seen = columns(frames)
    if file_format == "gif":
        assert seen == [1, 2, 3, 4, 5, 6]
        # 20 frames per second, as the environment's metadata says.
        assert iio.immeta(path)["duration"] == 50
    else:
        assert seen == sorted(seen) and seen[0] < seen[-1]
        assert iio.immeta(path)["fps"] == 20


def test_a_screen_of_odd_size(tmp_path):
    environment = filmed(frame_size=(33, 47))
    record = RecordEpisode(tmp_path, environment=environment, file_format="mp4")
    record.record(make_agent(), tmp_path / "film.mp4")
    frames = iio.imread(tmp_path / "film.mp4")
    # The codec needs even sizes; a pixel more or less is no harm.
    assert len(frames) == 6
    assert abs(frames.shape[1] - 33) == abs(frames.shape[2] - 47) == 1


def test_a_film_ends_with_its_steps_or_with_the_episode(tmp_path):
    record = RecordEpisode(
        tmp_path, environment=filmed(lengths=(30, 4, 30)), max_steps=7
    )
    counts = []
    for _ in range(2):
        score = record.record(make_agent(), tmp_path / "film.gif")
        counts.append((score, len(iio.imread(tmp_path / "film.gif"))))
    assert counts == [(7.0, 8), (4.0, 5)]


def test_a_film_every_few_epochs(tmp_path):
    record = RecordEpisode(
        tmp_path / "new" / "videos", every_epochs=2, environment=filmed()
    )
    learn([record], epochs=5)
    names = sorted(path.name for path in (tmp_path / "new/videos").iterdir())
    assert names == ["epoch_0002.gif", "epoch_0004.gif"]


def test_it_acts_with_the_weights_of_the_moment(tmp_path):
    environment = filmed(lengths=(3,))
    record = RecordEpisode(tmp_path, environment=environment)
    agent = make_agent(values=[1.0, 0.0])
    record.record(agent, tmp_path / "film.gif")
    agent.q_network.set_weights([np.zeros((3, 2)), np.array([0.0, 1.0])])
    record.record(agent, tmp_path / "film.gif")
    assert environment.actions == [0] * 3 + [1] * 3


def test_a_policy_of_its_own(tmp_path):
    policy = Spy()
    environment = filmed(lengths=(3,))
    record = RecordEpisode(tmp_path, environment=environment, policy=policy)
    record.record(make_agent(), tmp_path / "film.gif")
    assert policy.steps == [0, 1, 2]
    assert environment.actions == [1, 1, 1]


@pytest.mark.parametrize("evaluation_first", [True, False])
def test_it_films_a_copy_of_the_evaluation_with_its_policy(
    tmp_path, evaluation_first
):
    played = make_by_name(lengths=(6, 2), reward=3.0)
    policy = Spy()
    evaluation = EvaluatePolicy(played, policy, episodes=1)
    record = RecordEpisode(tmp_path)
    collected = make_scripted(lengths=(9,))
    buffer = make_buffer(collected)
    collect = CollectSteps(collected, buffer, Greedy(), 1, 4)
    callbacks = [evaluation, collect, record]
    if not evaluation_first:
        callbacks.reverse()
    fit(make_agent(), data_of(buffer), callbacks, steps=2, epochs=1)
    frames = iio.imread(tmp_path / "epoch_0001.gif")
    assert len(frames) == 7
    # Evaluation and film have played an episode each, in environments apart:
    # the played one was reset by the evaluation and at the episode's end.
    assert policy.steps.count(0) == 2
    assert played.unwrapped.resets == 2
    assert played.unwrapped.render_mode is None
    assert record.environment.environment.unwrapped is not played.unwrapped


def test_it_films_a_copy_of_what_is_collected_in(tmp_path):
    collected = make_by_name(lengths=(4,))
    buffer = make_buffer(collected)
    collect = CollectSteps(collected, buffer, Spy(action=1), 1, 4)
    agent = make_agent(values=[1.0, 0.0], learning_rate=0.0)
    record = RecordEpisode(tmp_path)
    fit(agent, data_of(buffer), [collect, record], steps=3)
    assert len(iio.imread(tmp_path / "epoch_0001.gif")) == 5
    # Greedy, not with the collecting policy, which explores.
    assert record.environment.environment.unwrapped.actions == [0] * 4
    assert collected.unwrapped.steps == collect.environment_steps == 7


def test_training_does_not_notice_it(tmp_path):
    def train(callbacks):
        keras.utils.set_random_seed(0)
        environment = make_by_name()
        buffer = make_buffer(environment)
        policy = rlk.policies.EpsilonGreedy(0.5, seed=0)
        collect = CollectSteps(environment, buffer, policy, 2, 4, seed=0)
        agent = make_agent()
        fit(agent, data_of(buffer), [collect, *callbacks], steps=4, epochs=3)
        return agent.get_weights()

    record = RecordEpisode(tmp_path, every_epochs=2)
    for with_it, without in zip(train([record]), train([]), strict=True):
        np.testing.assert_array_equal(with_it, without)


def test_atari_is_filmed_in_colour(tmp_path):
    environment = rlk.environments.atari("pong", image_size=(42, 42), seed=0)
    network = keras.Sequential(
        [
            keras.Input((42, 42, 4), dtype="uint8"),
            keras.layers.Flatten(),
            keras.layers.Dense(6),
        ]
    )
    evaluation = EvaluatePolicy(environment, Greedy(), episodes=1)
    evaluation.set_model(network)
    record = RecordEpisode(tmp_path, max_steps=20)
    record.record(network, tmp_path / "film.gif")
    frames = iio.imread(tmp_path / "film.gif")
    assert frames.shape[1:] == (210, 160, 3)
    # Nothing happens in some of the first frames, and the file joins those.
    assert 1 < len(frames) <= 21
    assert np.any(frames[..., 0] != frames[..., 2])


def test_no_environment_to_film(tmp_path):
    message = (
        "`environment` must be given where no other callback of the same "
        "`fit` plays in one. Received: environment=None."
    )
    record = RecordEpisode(tmp_path)
    with pytest.raises(ValueError, match=message):
        record.record(make_agent(), tmp_path / "film.gif")
    # In `fit` before the first step is taken.
    with pytest.raises(ValueError, match=message):
        learn([RecordEpisode(tmp_path, every_epochs=100)])


def test_an_environment_that_does_not_render(tmp_path):
    record = RecordEpisode(tmp_path, environment=make_scripted())
    with pytest.raises(ValueError, match='made with `render_mode="rgb_array"'):
        record.record(make_agent(), tmp_path / "film.gif")


def test_an_environment_that_cannot_be_made_again(tmp_path):
    evaluation = EvaluatePolicy(make_scripted(), Greedy(), episodes=1)
    with pytest.raises(
        ValueError, match="`environment` must have a `spec` to be made a seco"
    ):
        learn([evaluation, RecordEpisode(tmp_path)])


def test_a_vector_shows_its_first_environment(tmp_path):
    environment = gymnasium.vector.SyncVectorEnv(
        [lambda: filmed(lengths=(3,)), lambda: filmed(lengths=(1,))]
    )
    record = RecordEpisode(tmp_path, environment=environment)
    assert record.record(make_agent(), tmp_path / "film.gif") == 3.0
    assert columns(iio.imread(tmp_path / "film.gif")) == [1, 2, 3, 4]


class Reach(gymnasium.Env):
    """Wants two numbers, and notes them."""

    metadata = {"render_modes": ["rgb_array"]}
    observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    render_mode = "rgb_array"

    def __init__(self):
        self.actions = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(3, np.float32), {}

    def step(self, action):
        self.steps += 1
        self.actions.append(np.array(action))
        return np.zeros(3, np.float32), 1.0, self.steps == 4, False, {}

    def render(self):
        return np.zeros((16, 16, 3), np.uint8)


def gaussian_network():
    """Gives the means 0.5 and 3 with a scale of 1."""
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    network.layers[0].bias.assign([0.5, 3.0, 0.0, 0.0])
    network.compile(keras.optimizers.SGD(0.0), "mse")
    return network


def fit_anything(network, callbacks):
    data = np.zeros((4, 3)), np.zeros((4, 4))
    return network.fit(*data, callbacks=callbacks, verbose=0).history


def test_continuous_actions_are_the_means_of_the_collecting_policy(tmp_path):
    played, camera = Reach(), Reach()
    collect = Collector(played, Gaussian(seed=0))
    record = RecordEpisode(tmp_path, environment=camera)
    fit_anything(gaussian_network(), [collect, record])
    # Clipped to the bounds.
    np.testing.assert_array_equal(camera.actions, [[0.5, 1.0]] * 4)


def test_continuous_actions_of_a_policy_of_ones_own(tmp_path):
    def policy(model, observations, step):
        return np.full((len(observations), 2), -2.0)

    camera = Reach()
    record = RecordEpisode(tmp_path, environment=camera)
    fit_anything(gaussian_network(), [Collector(Reach(), policy), record])
    np.testing.assert_array_equal(camera.actions, [[-1.0, -1.0]] * 4)


def test_continuous_actions_without_a_policy(tmp_path):
    with pytest.raises(
        ValueError,
        match="`policy` must be given where actions aren't discrete.* Received"
        ": policy=None with action_space=Box",
    ):
        fit_anything(
            gaussian_network(), [RecordEpisode(tmp_path, environment=Reach())]
        )


def test_an_evaluation_does_not_notice_that_its_policy_is_filmed(tmp_path):
    def play(films):
        played = Reach()
        evaluation = EvaluatePolicy(played, Gaussian(seed=0), episodes=1)
        record = RecordEpisode(tmp_path, environment=Reach())
        callbacks = [evaluation, record] if films else [evaluation]
        network = gaussian_network()
        for _ in range(2):
            fit_anything(network, callbacks)
        return played.actions

    np.testing.assert_array_equal(play(True), play(False))


def test_a_film_has_the_statistics_of_the_moment(tmp_path):
    played = gymnasium.wrappers.NormalizeObservation(make_by_name())
    evaluation = EvaluatePolicy(played, Spy(), episodes=2)
    record = RecordEpisode(tmp_path)
    network = gaussian_network()
    for _ in range(2):
        fit_anything(network, [evaluation, record])
        # Two resets and five steps more than what was evaluated.
        counts = [
            record.environment.environment.obs_rms.count,
            played.obs_rms.count,
        ]
        assert counts[0] == pytest.approx(counts[1] + 7)


def test_the_end_is_seen_in_a_vector_with_wrappers(tmp_path):
    played = gymnasium.make_vec(
        make_by_name(lengths=(3,)).spec, 2, "sync", disable_env_checker=True
    )
    played = gymnasium.wrappers.vector.TransformObservation(
        played, lambda observations: observations
    )
    evaluation = EvaluatePolicy(played, Spy(), episodes=1)
    fit_anything(gaussian_network(), [evaluation, RecordEpisode(tmp_path)])
    assert columns(iio.imread(tmp_path / "epoch_0001.gif"))[-1] == 4


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"every_epochs": 0}, r"Received: every_epochs=0\."),
        ({"file_format": "avi"}, r"`file_format` must be one of \['gif', 'mp"),
        ({"max_steps": 0}, r"Received: max_steps=0\."),
        ({"environment": "CartPole-v1"}, "`environment` must be a `gymnasium"),
    ],
)
def test_arguments_out_of_range(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        RecordEpisode(tmp_path, **arguments)


def test_the_true_score_is_told(tmp_path):
    scored = wrappers.RecordEpisodeStatistics(filmed(lengths=(3,), reward=4.0))
    clipped = wrappers.TransformReward(scored, lambda reward: min(reward, 1.0))
    record = RecordEpisode(tmp_path, environment=clipped)
    assert record.record(make_agent(), tmp_path / "film.gif") == 12.0


def contract_parts(folder):
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    network.compile("sgd", "mse")
    arguments = {
        "folder": folder / "films",
        "every_epochs": 2,
        "environment": gymnasium.make("CartPole-v1", render_mode="rgb_array"),
        "policy": Greedy(),
        "file_format": "mp4",
        "max_steps": 2,
    }
    data = {"x": np.ones((4, 4)), "y": np.ones((4, 2)), "batch_size": 2}
    return arguments, network, data


CONTRACT = {
    RecordEpisode: {
        "make_parts": contract_parts,
        "bad": {
            "every_epochs": [0],
            "file_format": ["avi"],
            "max_steps": [0],
        },
    }
}
