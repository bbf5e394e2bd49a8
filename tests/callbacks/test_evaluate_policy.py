import csv
import warnings

import gymnasium
import keras
import numpy as np
import pytest
from gymnasium import wrappers

from keras_rlkit.callbacks import CollectSteps, EvaluatePolicy
from keras_rlkit.policies import EpsilonGreedy, Greedy
from keras_rlkit.testing import CounterEnvironment
from tests.callbacks.scripted_environments import (
    Scripted,
    Spy,
    data_of,
    fit,
    make_agent,
    make_buffer,
    make_scripted,
)

BATCH = (
    np.ones((4, 3), "float32"),
    {
        "action": np.array([0, 1, 0, 1], "int32"),
        "reward": np.ones(4, "float32"),
        "discount": np.full(4, 0.9, "float32"),
        "next_observation": np.ones((4, 3), "float32"),
    },
)


class SameBatch(keras.utils.PyDataset):
    num_batches = None

    def __getitem__(self, index):
        return BATCH


@pytest.mark.parametrize("mode", ["same_step", "next_step"])
@pytest.mark.parametrize(
    "episodes, expected",
    # Environment 0 gives 1 an episode and environment 1 gives 40. The first
    # episodes to end would all be those of environment 0.
    [(4, [1, 1, 40, 40]), (3, [1, 1, 40]), (2, [1, 40]), (1, [1])],
)
def test_each_environment_plays_its_share(mode, episodes, expected):
    environment = make_scripted(2, mode, lengths=[(1,), (40,)])
    evaluation = EvaluatePolicy(environment, Spy(), episodes)
    returns = evaluation.evaluate(None)
    assert sorted(returns.tolist()) == expected
    assert returns.dtype == np.float64


def test_episodes_of_different_length_all_count():
    environment = make_scripted(lengths=(3, 5, 4))
    evaluation = EvaluatePolicy(environment, Spy(), episodes=3)
    assert evaluation.evaluate(None).tolist() == [3, 5, 4]


def test_every_evaluation_starts_new_episodes():
    environment = make_scripted(lengths=(3,))
    evaluation = EvaluatePolicy(environment, Spy(), episodes=2)
    for _ in range(2):
        assert evaluation.evaluate(None).tolist() == [3, 3]


def test_step_counts_the_steps_of_the_evaluation():
    policy = Spy()
    environment = make_scripted(3, lengths=[(2,)] * 3)
    EvaluatePolicy(environment, policy, episodes=3).evaluate(None)
    assert policy.steps == [0, 3]


def test_it_acts_with_the_weights_of_the_moment():
    environment = make_scripted(lengths=(2,))
    agent = make_agent(values=[1.0, 0.0])
    evaluation = EvaluatePolicy(environment, Greedy(), episodes=1)
    evaluation.evaluate(agent)
    agent.q_network.set_weights([np.zeros((3, 2)), np.array([0.0, 1.0])])
    evaluation.evaluate(agent)
    assert environment.actions == [0, 0, 1, 1]


def test_weights_of_the_moment_during_fit():
    # One gradient step with learning rate 1 makes action 1 the better one.
    environment = make_scripted(lengths=(2,))
    agent = make_agent(values=[0.5, 0.0], learning_rate=1.0)
    batch = {**BATCH[1], "action": np.ones(4, "int32")}
    batch["reward"] = np.full(4, 9.0, "float32")
    agent.fit(
        BATCH[0],
        batch,
        callbacks=[EvaluatePolicy(environment, Greedy(), episodes=1)],
        verbose=0,
    )
    assert environment.actions == [1, 1]


def test_scores_stand_in_the_epochs_that_are_evaluated():
    # Every evaluation plays one episode, one step longer than the last one.
    environment = make_scripted(lengths=(2, 3, 4))
    evaluation = EvaluatePolicy(
        environment, Greedy(), episodes=1, every_epochs=2
    )
    history = fit(make_agent(), SameBatch(), [evaluation], steps=1, epochs=5)
    # The first epoch, the second and the fourth. A finished episode is followed
    # by a reset, and so is each evaluation: every second length is played.
    scores = history["evaluation_return"]
    assert scores == [2.0, 4.0, None, 3.0, None]
    assert all(type(score) is float for score in scores if score)


def test_the_best_model_can_be_kept(tmp_path):
    environment = make_scripted(lengths=(2, 3, 4))
    agent = make_agent(values=[0.5, 0.0])
    path = tmp_path / "best.weights.h5"
    best = keras.callbacks.ModelCheckpoint(
        path,
        monitor="evaluation_return",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )
    evaluation = EvaluatePolicy(
        environment, Greedy(), episodes=1, every_epochs=2
    )
    fit(agent, SameBatch(), [evaluation, best], steps=1, epochs=1)
    assert best.best == 2.0
    path.unlink()
    fit(agent, SameBatch(), [evaluation, best], steps=1, epochs=2)
    assert best.best == 4.0 and path.exists()


def test_the_seed_begins_each_evaluation_alike():
    seeds = []

    class NotesSeeds(Scripted):
        def reset(self, *, seed=None, options=None):
            seeds.append(seed)
            return super().reset(seed=seed)

    for seed in (7, None):
        evaluation = EvaluatePolicy(
            NotesSeeds((1,)), Spy(), episodes=1, seed=seed
        )
        evaluation.evaluate(None)
        evaluation.evaluate(None)
    # Each evaluation resets once, and its last episode's end once more.
    assert seeds == [7, None, 7, None, None, None, None, None]


@pytest.mark.parametrize(
    ("episodes", "max_steps", "expected", "unfinished"),
    [
        # Environment 0 gives 1 for each episode of one step, environment 1 as
        # much as it has steps of its 40.
        (2, 41, [1, 40], 0),
        (2, 40, [1, 40], 0),
        (2, 39, [1, 39], 1),
        # The second episode of environment 1 begins with a reset.
        (4, 7, [1, 1, 7, 7], 2),
        (3, 7, [1, 1, 7], 1),
        (2, 1, [1, 1], 1),
    ],
)
@pytest.mark.parametrize("mode", ["same_step", "next_step"])
def test_an_episode_without_an_end_is_ended(
    mode, episodes, max_steps, expected, unfinished
):
    environment = make_scripted(2, mode, lengths=[(1,), (40,)])
    evaluation = EvaluatePolicy(
        environment, Spy(), episodes, max_steps=max_steps
    )
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert sorted(evaluation.evaluate(None).tolist()) == expected
    said = [str(warning.message) for warning in warned]
    assert said == [
        f"{unfinished} of {episodes} evaluation episodes were ended by "
        f"`max_steps`, {max_steps} steps. Their scores are those until then. "
        "Give the environment a time limit, as `gymnasium.wrappers.TimeLimit`"
        ", or `EvaluatePolicy` another `max_steps`."
    ] * bool(unfinished)


def test_episodes_that_were_ended_stand_in_the_logs(tmp_path):
    # The first evaluation plays 2 steps, the second 3 of 4.
    environment = make_scripted(lengths=(2, 3, 4))
    evaluation = EvaluatePolicy(environment, Greedy(), 1, max_steps=3)
    logger = keras.callbacks.CSVLogger(tmp_path / "history.csv")
    with pytest.warns(UserWarning, match="1 of 1 evaluation episodes were end"):
        history = fit(
            make_agent(), SameBatch(), [evaluation, logger], steps=1, epochs=2
        )
    assert history["evaluation_return"] == [2.0, 3.0]
    assert history["evaluation_unfinished"] == [None, 1]
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["evaluation_unfinished"] for row in rows] == ["NA", "1"]


def test_training_does_not_notice_it():
    def train(callbacks):
        keras.utils.set_random_seed(0)
        agent = make_agent()
        fit(agent, SameBatch(), callbacks, steps=4, epochs=2)
        return agent.get_weights()

    evaluation = EvaluatePolicy(
        make_scripted(2), EpsilonGreedy(0.5, seed=1), episodes=3
    )
    for with_it, without in zip(train([evaluation]), train([]), strict=True):
        np.testing.assert_array_equal(with_it, without)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"episodes": 0}, r"`episodes` must be a positive integer\. Received"),
        (
            {"episodes": 1, "every_epochs": 0},
            r"`every_epochs` must be a positive integer\. Received: every_epo",
        ),
        (
            {"episodes": 1, "seed": -1},
            r"`seed` must be a non-negative integer\. Received: seed=-1\.",
        ),
        (
            {"episodes": 1, "max_steps": 0},
            r"`max_steps` must be a positive integer\. Received: max_steps=0",
        ),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        EvaluatePolicy(make_scripted(), Greedy(), **arguments)


def test_what_is_no_environment():
    with pytest.raises(ValueError, match="`environment` must be a `gymnasium"):
        EvaluatePolicy("CartPole-v1", Greedy(), episodes=1)


def clipped():
    # An episode has 5 steps of 4 points, 20 in all; clipped, they add up to 5.
    environment = wrappers.RecordEpisodeStatistics(Scripted(reward=4.0))
    return wrappers.ClipReward(environment, -1, 1)


def test_true_scores_of_clipped_rewards():
    def vector(mode):
        return gymnasium.vector.SyncVectorEnv(
            [clipped] * 2, autoreset_mode=mode
        )

    for make in (
        clipped,
        lambda: vector("NextStep"),
        lambda: vector("SameStep"),
        lambda: wrappers.vector.DictInfoToList(vector("SameStep")),
    ):
        evaluation = EvaluatePolicy(make(), Spy(), 3)
        np.testing.assert_array_equal(evaluation.evaluate(None), [20.0] * 3)


@pytest.mark.parametrize("mode", [None, "NextStep", "SameStep"])
def test_collectors_log_true_scores_of_clipped_rewards(mode):
    environment = clipped()
    if mode:
        environment = gymnasium.vector.SyncVectorEnv(
            [clipped] * 2, autoreset_mode=mode
        )
    buffer = make_buffer(environment)
    collect = CollectSteps(environment, buffer, Spy(), 2)
    history = fit(make_agent(), data_of(buffer), [collect], steps=10)
    assert history["episode_return"] == [20.0]
    assert history["episode_length"] == [5.0]
    # Learning sees what the wrapper above made of them.
    assert set(buffer.transitions()[1]["reward"]) == {1.0}


def contract_parts(folder):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    network.compile("sgd", "mse")
    arguments = {
        "environment": CounterEnvironment((3, 5, 4)),
        "policy": EpsilonGreedy(0.5, seed=1),
        "episodes": 2,
        "every_epochs": 2,
        "seed": 1,
        "max_steps": 9,
    }
    data = {"x": np.ones((4, 2)), "y": np.ones((4, 2)), "batch_size": 2}
    return arguments, network, data


CONTRACT = {
    EvaluatePolicy: {
        "make_parts": contract_parts,
        "bad": {
            "episodes": [0],
            "every_epochs": [0],
            "seed": [-1],
            "max_steps": [0],
        },
    }
}
