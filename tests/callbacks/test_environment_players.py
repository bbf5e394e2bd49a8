import gc

import keras
import pytest
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from keras_rlkit.callbacks import CollectSteps, EvaluatePolicy, RecordEpisode
from keras_rlkit.callbacks.environment_players import (
    find_players,
    register_player,
)
from keras_rlkit.policies import Greedy
from tests.callbacks.scripted_environments import (
    Spy,
    data_of,
    fit,
    make_agent,
    make_buffer,
    make_scripted,
)


def make_model():
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])


def test_the_latest_comes_first():
    model = make_model()
    callbacks = [keras.callbacks.Callback() for _ in range(3)]
    for callback in callbacks:
        register_player(model, callback)
    assert find_players(model) == callbacks[::-1]


def test_a_callback_is_found_once_however_often_it_registers():
    model = make_model()
    first, second = keras.callbacks.Callback(), keras.callbacks.Callback()
    for callback in (first, second, first):
        register_player(model, callback)
    assert find_players(model) == [first, second]


def test_models_do_not_share_players():
    model, other = make_model(), make_model()
    callback = keras.callbacks.Callback()
    register_player(model, callback)
    assert find_players(other) == []


def test_nothing_is_kept_alive():
    model = make_model()
    callback, gone = keras.callbacks.Callback(), keras.callbacks.Callback()
    register_player(model, callback)
    register_player(model, gone)
    del gone
    gc.collect()
    assert find_players(model) == [callback]


def test_those_without_a_state_are_found_on_demand():
    model = make_model()
    first, second = keras.callbacks.Callback(), keras.callbacks.Callback()
    register_player(model, first, saved=False)
    register_player(model, second)
    assert find_players(model) == [second]
    assert find_players(model, all_of_them=True) == [second, first]


def evaluation(environment):
    return EvaluatePolicy(environment, Greedy(), episodes=1)


def collector(environment):
    return CollectSteps(environment, make_buffer(environment), Spy(), 1, 4)


SHARING = {
    "evaluation": evaluation,
    "film": lambda e: RecordEpisode("films", environment=e),
    "collector": collector,
    "other wrapper": lambda e: evaluation(TimeLimit(e, 3)),
    "without wrappers": lambda e: evaluation(e.unwrapped),
    "in a vector": lambda e: evaluation(
        SyncVectorEnv([make_scripted, lambda: e])
    ),
    "vector wrapper": lambda e: evaluation(
        RecordEpisodeStatistics(SyncVectorEnv([lambda: e]))
    ),
}


@pytest.mark.parametrize("name", SHARING)
@pytest.mark.parametrize("first", [True, False])
def test_a_collector_shares_its_environment_with_nobody(
    tmp_path, monkeypatch, name, first
):
    monkeypatch.chdir(tmp_path)
    core = make_scripted(render_mode="rgb_array")
    environment = TimeLimit(core, 5)
    collect, other = collector(environment), SHARING[name](environment)
    callbacks = [collect, other] if first else [other, collect]
    kind = type(other).__name__
    names = f"CollectSteps and {kind}|{kind} and CollectSteps"
    with pytest.raises(
        ValueError,
        match="`environment` must be played in by one callback alone.*"
        rf"Received: ({names}) with the same .*Scripted.*`gymnasium.make`",
    ):
        fit(make_agent(), data_of(collect.buffer), callbacks)
    # Before anything was played.
    assert core.steps == 0


def test_evaluation_and_film_may_share_theirs(tmp_path):
    environment = make_scripted(render_mode="rgb_array")
    collect = collector(make_scripted())
    film = RecordEpisode(tmp_path, environment=environment)
    callbacks = [collect, evaluation(environment), film]
    history = fit(make_agent(), data_of(collect.buffer), callbacks, epochs=2)
    assert history["evaluation_return"] == [5.0, 5.0]


def test_what_another_fit_played_in_is_free():
    environment = make_scripted()
    collect = collector(make_scripted())
    agent, data = make_agent(), data_of(collect.buffer)
    fit(agent, data, [collect, evaluation(environment)], steps=2)
    other = collector(environment)
    fit(agent, data_of(other.buffer), [other], steps=2)
