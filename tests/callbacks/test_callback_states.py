import keras
import numpy as np
import pytest

from keras_rlkit.callbacks.callback_states import (
    get_callback_states,
    set_callback_states,
)
from keras_rlkit.replay.saving.packing import (
    pack,
    unpack,
)
from tests.callbacks.resumable import Training

SCORES = [5.0, 50.0, 7.0, 6.0, 8.0, 9.0]
WATCH = {"monitor": "score", "mode": "max"}


class Score(keras.callbacks.Callback):
    """Logs the scores, and keeps the weights that each epoch ended with."""

    def __init__(self):
        super().__init__()
        self.weights = {}

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = SCORES[epoch]
        self.weights[epoch] = self.model.get_weights()


def train(folder, epochs, *callbacks):
    """A training in a new process: nothing remains but what is saved."""
    score = Score()
    training = Training(folder, callbacks=(score, *callbacks)).fit(epochs)
    return training, score.weights


def assert_equal(weights, expected):
    for array, like in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(array, like)


def test_the_best_model_of_all_is_kept(tmp_path):
    path = tmp_path / "best.weights.h5"

    def best():
        return keras.callbacks.ModelCheckpoint(
            path, save_best_only=True, save_weights_only=True, **WATCH
        )

    _, weights = train(tmp_path / "s", 2, best())
    resumed = best()
    training, _ = train(tmp_path / "s", 4, resumed)
    # 50 in the second epoch, before the interruption; then 7 and 6.
    assert resumed.best == 50
    training.agent.load_weights(path)
    assert_equal(training.agent.get_weights(), weights[1])


def test_a_plateau_goes_on(tmp_path):
    def rate():
        return keras.callbacks.ReduceLROnPlateau(
            patience=1, cooldown=1, factor=0.5, **WATCH
        )

    train(tmp_path, 3, rate())
    # 7 has reduced the rate and begun an epoch's cooldown, which 6 ends and
    # reduces again: as each that is not above 50.
    training, _ = train(tmp_path, 6, rate())
    assert training.history.history["learning_rate"] == pytest.approx(
        [0.01, 0.01, 0.01, 0.005, 0.0025, 0.00125]
    )


def test_patience_goes_on_and_what_was_stopped_stays_stopped(tmp_path):
    def stop(patience):
        return keras.callbacks.EarlyStopping(
            patience=patience, restore_best_weights=True, **WATCH
        )

    _, weights = train(tmp_path, 3, stop(3))
    # 50 in the second epoch; the third after it is the fifth.
    for _ in range(2):
        stopped = stop(3)
        training, _ = train(tmp_path, 6, stopped)
        assert training.history.epoch == [0, 1, 2, 3, 4]
        assert (stopped.best, stopped.best_epoch) == (50, 1)
        assert (stopped.wait, stopped.stopped_epoch) == (3, 4)
        assert_equal(training.agent.get_weights(), weights[1])
    # With more patience it goes on.
    training, _ = train(tmp_path, 6, stop(5))
    assert training.history.epoch == [0, 1, 2, 3, 4, 5]


class Sum(keras.callbacks.Callback):
    """A callback of a user's own."""

    def __init__(self):
        super().__init__()
        self.sum, self.array = 0.0, np.zeros(2)

    def on_epoch_end(self, epoch, logs=None):
        self.sum += logs["score"]
        self.array = self.array + epoch

    def get_state(self):
        return {"sum": self.sum, "array": self.array}

    def set_state(self, state):
        self.sum, self.array = state["sum"], np.asarray(state["array"])


def test_callbacks_of_ones_own_are_asked_for_their_state(tmp_path):
    train(tmp_path, 2, Sum())
    resumed = Sum()
    train(tmp_path, 3, resumed)
    assert resumed.sum == 5 + 50 + 7
    assert resumed.array.tolist() == [0 + 1 + 2] * 2


def test_each_gets_the_state_of_its_kind_and_value(tmp_path):
    def checkpoint(monitor, best):
        callback = keras.callbacks.ModelCheckpoint("a.keras", monitor)
        callback.best = best
        return callback

    class Own(keras.callbacks.ModelCheckpoint):
        pass

    own = Own("own.keras", "loss")
    own.best = 4.0
    saved = get_callback_states(
        [
            checkpoint("loss", 1.0),
            keras.callbacks.TerminateOnNaN(),
            checkpoint("score", 2.0),
            checkpoint("loss", 3.0),
            own,
        ]
    )
    assert len(saved) == 4
    resumed = [
        checkpoint("score", None),
        Own("own.keras", "loss"),
        checkpoint("new", None),
        checkpoint("loss", None),
        keras.callbacks.EarlyStopping("loss"),
        checkpoint("loss", None),
    ]
    set_callback_states(resumed, saved)
    assert [callback.best for callback in resumed] == [
        2.0,
        4.0,
        None,
        1.0,
        None,
        3.0,
    ]


def test_best_weights_of_any_dtype():
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, dtype="bfloat16")]
    )
    stop = keras.callbacks.EarlyStopping()
    stop.on_train_begin()
    stop.best_weights = [weight + 1 for weight in model.get_weights()]
    tree, arrays = pack(get_callback_states([stop]))
    resumed = keras.callbacks.EarlyStopping()
    resumed.set_model(model)
    set_callback_states([resumed], unpack(tree, arrays))
    for array, expected in zip(
        resumed.best_weights, stop.best_weights, strict=True
    ):
        assert array.dtype == expected.dtype == model.get_weights()[0].dtype
        assert array.tolist() == expected.tolist()
