import functools
import warnings

import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from tests.callbacks.scripted_environments import make_agent

SHAPE = (3,)
SAID = (
    "`steps_per_epoch` must be given to `fit` for data without an end, .* "
    r"Received: steps_per_epoch=None\. Pass the number of gradient steps"
)


def filled():
    replay = rlk.replay.ReplayBuffer(50, SHAPE, "float32", seed=0)
    zeros = np.zeros((1, *SHAPE))
    for step in range(20):
        replay.add(zeros, [step % 2], [1.0], [False], [False], zeros)
    return replay


@pytest.fixture(params=["dataset", "batches"])
def data(request):
    return getattr(filled(), request.param)(4)


@pytest.fixture(autouse=True)
def no_word_about_shuffling():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="`shuffle=True` was passed")
        yield


def make_actor_critic():
    agent = rlk.models.ActorCritic(
        keras.Sequential([keras.Input(SHAPE), keras.layers.Dense(2)]),
        keras.Sequential([keras.Input(SHAPE), keras.layers.Dense(1)]),
    )
    agent.compile("sgd")
    return agent


@pytest.mark.parametrize("make", [make_agent, make_actor_critic])
def test_an_epoch_without_an_end(make, data):
    with pytest.raises(ValueError, match=SAID):
        make().fit(data, verbose=0)
    with pytest.raises(ValueError, match=SAID):
        make().fit(x=data, epochs=2, steps_per_epoch=None)


def test_replay_data_are_fitted_without_a_warning(data):
    agent = make_agent()
    agent.fit(data, epochs=2, steps_per_epoch=3, verbose=0)
    assert int(agent.gradient_steps) == 6


def test_data_with_an_end_need_no_steps():
    agent = make_agent()
    agent.fit(filled().dataset(4).take(3), verbose=0)
    assert int(agent.gradient_steps) == 3


@pytest.mark.parametrize("kind", ["dataset", "batches"])
def test_on_policy_data_are_fitted_without_a_warning(kind):
    buffer = rlk.replay.EpisodeBuffer(
        discount=0.9, observation_shape=SHAPE, lambda_=0.9, action_shape=()
    )
    for _ in range(8):
        zeros = np.zeros((1, *SHAPE))
        buffer.add(zeros, [0], [1.0], [False], [True], zeros)
    agent = make_actor_critic()
    buffer.finish(agent.evaluate_actions)
    history = agent.fit(getattr(buffer, kind)(2), verbose=0)
    assert history.params["steps"] == 2


def test_who_asks_for_shuffling_is_told_what_comes_of_it(data):
    with pytest.raises(UserWarning, match="`shuffle=True` was passed, but"):
        make_agent().fit(data, steps_per_epoch=1, shuffle=True, verbose=0)


def test_arrays_are_shuffled_as_ever(monkeypatch):
    asked = []

    @functools.wraps(keras.Model.fit)
    def fit(self, **options):
        asked.append(options)

    monkeypatch.setattr(keras.Model, "fit", fit)
    arrays = np.zeros((4, *SHAPE)), {"action": np.zeros(4)}
    make_agent().fit(*arrays, 2, epochs=3)
    assert asked == [
        {"x": arrays[0], "y": arrays[1], "batch_size": 2, "epochs": 3}
    ]
