import shutil

import gymnasium
import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.callbacks import (
    CollectEpisodes,
    CollectRollout,
    EvaluatePolicy,
    ResumeTraining,
)
from keras_rlkit.policies import Categorical, EpsilonGreedy
from keras_rlkit.replay import EpisodeBuffer, Prioritized, ReplayBuffer, Uniform
from tests.callbacks.resumable import (
    BATCH,
    STEPS,
    Engine,
    Training,
    breakout,
    cartpole,
    cartpoles,
    check_exact,
    differences,
    make_agent,
    straight,
)


@pytest.mark.parametrize("make_environment", [cartpoles, breakout])
@pytest.mark.parametrize(
    ("make_sampler", "prefetch"), [(Uniform, 2), (Prioritized, 0)]
)
def test_resumed_training_is_the_same(
    tmp_path, make_environment, make_sampler, prefetch
):
    check_exact(
        tmp_path,
        make_environment=make_environment,
        prefetch=prefetch,
        steps_per_execution=1 + prefetch,
        # 6 gradient steps an epoch are worth 7.5 environment steps.
        steps_per_update=1.25,
        make_sampler=make_sampler,
    )


def test_a_training_that_differs_is_noticed(tmp_path):
    other = Training(tmp_path, steps_per_update=2).fit(4)
    found = " ".join(differences(straight(4), other.everything()))
    for name in ("variable", "reward", "batch", "history", "steps"):
        assert name in found


def test_evaluations_and_scores_go_on_the_same_on_disk(tmp_path):
    resumed = check_exact(
        tmp_path, epochs=12, interrupted=5, evaluate=True, storage="disk"
    )
    logs = resumed.history.history
    assert len(logs["evaluation_return"]) == 12
    assert len(set(map(str, logs["episode_return"]))) > 1


def normalized():
    vector = gymnasium.make_vec("CartPole-v1", 2, "sync")
    return gymnasium.wrappers.vector.NormalizeObservation(vector)


def normalized_engine():
    return gymnasium.wrappers.NormalizeObservation(Engine())


@pytest.mark.parametrize("make_environment", [normalized, normalized_engine])
def test_running_statistics_go_on(tmp_path, make_environment):
    resumed = check_exact(
        tmp_path, make_environment=make_environment, evaluate=True
    )
    # All observations of all epochs, and not those since the resume only.
    statistics = resumed.environment.obs_rms
    assert statistics.count > resumed.collect.environment_steps


def test_statistics_of_a_seeded_evaluation_go_on():
    def make():
        environment = gymnasium.wrappers.NormalizeObservation(cartpole())
        return EvaluatePolicy(
            environment, EpsilonGreedy(0.3, seed=0), 2, seed=3
        )

    one, other = make(), make()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    one.evaluate(model)
    one.settle(seed=0)
    other.set_state(one.get_state())
    assert other.evaluate(model).tolist() == one.evaluate(model).tolist()
    counts = [e.environment.environment.obs_rms.count for e in (one, other)]
    assert counts[0] == counts[1]


def test_the_callback_may_stand_last_with_compressed_frames(tmp_path):
    pytest.importorskip("zstandard")
    check_exact(
        tmp_path,
        make_environment=breakout,
        last=True,
        evaluate=True,
        storage="compressed",
    )


def test_saves_come_every_few_epochs_and_at_the_end(tmp_path):
    written = []

    class Counting(Training):
        def __init__(self):
            super().__init__(tmp_path / "saves", every=2)
            saves = self.callbacks[0]._saves
            write = saves.write
            saves.write = lambda state: (
                written.append(state["epoch"]),
                write(state),
            )

    Counting().fit(5)
    assert written == [2, 4, 5]
    Counting().fit(5)
    assert written == [2, 4, 5]
    Counting().fit(8)
    assert written == [2, 4, 5, 6, 8]


def test_a_training_in_the_same_process_goes_on_too(tmp_path):
    # The data set has an iterator of its own in each `fit`.
    once = Training(tmp_path).fit(2).fit(4)
    assert differences(straight(4), once.everything()) == []
    # A finished training returns at once, with its history.
    again = Training(tmp_path).fit(4)
    assert differences(straight(4), again.everything()) == []
    # Another `fit` without the callback begins at its own first epoch.
    again.callbacks = [again.collect]
    assert again.fit(1).history.epoch == [0]
    # Without the folder, training begins at the beginning.
    shutil.rmtree(tmp_path)
    anew = Training(tmp_path).fit(4)
    assert differences(straight(4), anew.everything()) == []


def test_a_callback_of_an_earlier_fit_is_not_saved(tmp_path):
    training = Training(tmp_path / "s")
    other = EvaluatePolicy(cartpole(), EpsilonGreedy(0.1), 1)
    training.agent.fit(
        training.data,
        steps_per_epoch=1,
        callbacks=[training.collect, other],
        verbose=0,
    )
    training.fit(1)
    state = training.callbacks[0]._saves.read()
    assert state["parts"]["callbacks"] == ["CollectSteps"]
    assert other.model is training.agent


def make_on_policy(folder, kind, make_environment, epochs):
    keras.utils.set_random_seed(3)
    environment = make_environment()
    buffer = EpisodeBuffer.for_environment(
        environment, discount=0.9, lambda_=0.9, seed=0
    )
    agent = rlk.models.ActorCritic(
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]),
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]),
        clip=0.2,
    )
    agent.compile("adam")
    amount = (
        {"episodes_per_epoch": 5}
        if kind is CollectEpisodes
        else {"steps_per_epoch": 25}
    )
    collect = kind(environment, buffer, Categorical(), seed=0, **amount)
    history = agent.fit(
        buffer.batches(minibatches=3, passes=2),
        epochs=epochs,
        callbacks=[ResumeTraining(folder), collect],
        verbose=0,
    )
    weights = [np.asarray(weight).tolist() for weight in agent.get_weights()]
    return weights, history.history, collect.environment_steps


@pytest.mark.parametrize(
    ("kind", "make_environment"),
    [(CollectEpisodes, cartpoles), (CollectRollout, Engine)],
)
def test_on_policy_training_is_resumed(tmp_path, kind, make_environment):
    arguments = kind, make_environment
    expected = make_on_policy(tmp_path / "straight", *arguments, 4)
    make_on_policy(tmp_path / "resumed", *arguments, 2)
    assert make_on_policy(tmp_path / "resumed", *arguments, 4) == expected


def test_an_offline_buffer_is_saved_where_it_is_given(tmp_path):
    def train(folder, epochs):
        keras.utils.set_random_seed(3)
        buffer = ReplayBuffer.load(tmp_path / "buffer")
        agent = make_agent((4,), 2)
        tensorflow = keras.backend.backend() == "tensorflow"
        agent.fit(
            (buffer.dataset if tensorflow else buffer.batches)(BATCH),
            epochs=epochs,
            steps_per_epoch=STEPS,
            callbacks=[ResumeTraining(folder, buffer=buffer)],
            verbose=0,
        )
        weights = [np.asarray(w).tolist() for w in agent.get_weights()]
        return weights, buffer.sample(BATCH)[0].tolist()

    Training(tmp_path / "s").fit(1).buffer.save(tmp_path / "buffer")
    expected = train(tmp_path / "straight", 4)
    train(tmp_path / "resumed", 2)
    assert train(tmp_path / "resumed", 4) == expected


def contract_parts(folder):
    environment = rlk.testing.CounterEnvironment((3, 5))
    buffer = ReplayBuffer.for_environment(environment, 20, seed=0)
    agent = make_agent((2,), 2)
    tensorflow = keras.backend.backend() == "tensorflow"
    arguments = {"folder": folder, "every": 2, "buffer": buffer, "seed": 1}
    collect = rlk.callbacks.CollectSteps(
        environment, buffer, EpsilonGreedy(0.5, 1), 1.5
    )
    fit_options = {
        "x": (buffer.dataset if tensorflow else buffer.batches)(4),
        "steps_per_epoch": 4,
        "callbacks": [collect],
    }
    return arguments, agent, fit_options


CONTRACT = {
    ResumeTraining: {
        "make_parts": contract_parts,
        "bad": {"every": [0], "seed": [-1]},
        "skip": {"resume": "it is what the clause resumes others with"},
    }
}
