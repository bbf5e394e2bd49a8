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
    r"Received: steps_per_epoch=None\. Pass a number of batches"
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


@pytest.mark.parametrize("make", [make_agent, make_actor_critic])
def test_all_that_would_never_end(make, data):
    agent = make()
    few = np.zeros((2, *SHAPE))
    for name, method, arguments in (
        ("steps", agent.evaluate, (data,)),
        ("steps", agent.predict, (data,)),
        ("validation_steps", agent.fit, (few, few, 1, 1, 0, None, 0.0, data)),
    ):
        with pytest.raises(
            ValueError,
            match=f"`{name}` must be given to `{method.__name__}` for data "
            rf"without an end, .* Received: {name}=None\.",
        ):
            method(*arguments)


def test_parts_of_what_has_no_end(data):
    agent = make_agent()
    assert agent.predict(data, steps=2, verbose=0).shape == (8, 2)
    scores = agent.evaluate(data, steps=2, verbose=0, return_dict=True)
    assert "td_error" in scores
    assert agent.predict(np.zeros((5, *SHAPE)), 2, 0).shape == (5, 2)
    history = agent.fit(
        data,
        steps_per_epoch=2,
        validation_data=data,
        validation_steps=1,
        verbose=0,
    )
    assert "val_td_error" in history.history


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
