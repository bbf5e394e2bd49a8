import gc

import keras

from keras_rlkit.callbacks.players import find_players, register_player


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
