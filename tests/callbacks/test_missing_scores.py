import csv
import warnings

import keras
import pytest

from keras_rlkit.callbacks import CollectSteps, EvaluatePolicy
from keras_rlkit.callbacks.missing_scores import find_siblings
from tests.callbacks.scripted_environments import (
    Scripted,
    Spy,
    data_of,
    fit,
    make_agent,
    make_buffer,
    make_scripted,
)
from tests.callbacks.test_evaluate_policy import SameBatch

BEST = {"monitor": "evaluation_return", "mode": "max", "save_best_only": True}


class Scores(Scripted):
    """Episodes of one step that bring these scores, one after the other."""

    def __init__(self, scores):
        super().__init__((1,))
        # A reset ends each evaluation, and another one begins it.
        self.scores = [score for score in scores for _ in range(2)]

    def step(self, action):
        observation, _, *rest = super().step(action)
        return observation, self.scores[self.episode], *rest


def evaluate(scores, every_epochs=2):
    return EvaluatePolicy(Scores(scores), Spy(), 1, every_epochs)


class Weights(keras.callbacks.Callback):
    """Keeps the weights that each epoch ended with."""

    def on_train_begin(self, logs=None):
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(self.model.get_weights()[0].tolist())


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_an_epoch_without_a_score_is_not_the_best(tmp_path):
    # Epochs 1, 2, 4 and 6 are evaluated: 3, 8, 5, 1.
    path = tmp_path / "best.weights.h5"
    best = keras.callbacks.ModelCheckpoint(path, save_weights_only=True, **BEST)
    weights = Weights()
    agent = make_agent()
    callbacks = [evaluate([3.0, 8.0, 5.0, 1.0]), weights, best]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(agent, SameBatch(), callbacks, steps=1, epochs=6)
    agent.load_weights(path)
    assert agent.get_weights()[0].tolist() == weights.epochs[1]
    assert best.best == 8.0
    # Where it stands before the score it watches, Keras says so as ever.
    with pytest.warns(UserWarning, match="only with evaluation_return avail"):
        fit(agent, SameBatch(), [best, callbacks[0]], steps=1, epochs=1)


def test_the_first_score_is_the_best_one_so_far(tmp_path):
    # The only episode ends in the second epoch, at step 8.
    environment = make_scripted(lengths=(8, 100))
    buffer = make_buffer(environment)
    collect = CollectSteps(environment, buffer, Spy(), 1, 4)
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}_{episode_return:.0f}.keras",
        monitor="episode_return",
        mode="max",
        save_best_only=True,
    )
    # File names with scores in them need these even where all are saved.
    every = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}_length_{episode_length:.0f}.keras"
    )
    wait = keras.callbacks.EarlyStopping("episode_return", mode="max")
    rate = keras.callbacks.ReduceLROnPlateau(
        "episode_return", mode="max", patience=1, factor=0.5
    )
    callbacks = [collect, best, every, wait, rate]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = fit(
            make_agent(), data_of(buffer), callbacks, steps=2, epochs=4
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "2_8.keras",
        "2_length_8.keras",
    ]
    # Nobody has waited for epochs that nothing was measured in.
    assert history["episode_return"] == [None, 8.0, None, None]
    assert (wait.best, wait.wait) == (8.0, 0)
    assert (rate.best, rate.wait) == (8.0, 0)
    assert history["learning_rate"] == pytest.approx([0.01] * 4)


@pytest.mark.parametrize(
    "watcher",
    [keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau],
)
def test_waiting_for_a_score_is_no_reason_to_warn(watcher):
    watch = watcher("evaluation_return", mode="max", patience=9)
    callbacks = [evaluate([3.0, 8.0]), watch]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(make_agent(), SameBatch(), callbacks, steps=1, epochs=3)
    assert (watch.best, watch.wait) == (8.0, 0)
    # What nobody measures is told as ever.
    watch = watcher("val_loss", mode="min")
    with pytest.warns(UserWarning, match="`val_loss` which is not available"):
        fit(make_agent(), SameBatch(), [callbacks[0], watch], steps=1)


@pytest.mark.parametrize(
    "watcher",
    [
        keras.callbacks.EarlyStopping("evaluation_return", mode="max"),
        keras.callbacks.ReduceLROnPlateau("evaluation_return", mode="max"),
        keras.callbacks.ModelCheckpoint("unused.keras", **BEST),
    ],
)
def test_who_watches_a_score_before_it_is_measured_is_told(watcher, tmp_path):
    if hasattr(watcher, "filepath"):
        watcher.filepath = str(tmp_path / "best.keras")
    name = type(watcher).__name__
    with pytest.warns(
        UserWarning,
        match=f"`{name}` watches `evaluation_return`, which it never sees.*"
        f"List `{name}` after `EvaluatePolicy`",
    ):
        fit(make_agent(), SameBatch(), [watcher, evaluate([3.0])], steps=1)


def test_a_score_that_no_epoch_has_is_in_history_all_the_same(tmp_path):
    # The first episode is longer than the whole training.
    environment = make_scripted(lengths=(100,))
    buffer = make_buffer(environment)
    collect = CollectSteps(environment, buffer, Spy(), 1, 4)
    logger = keras.callbacks.CSVLogger(tmp_path / "history.csv")
    callbacks = [collect, evaluate([3.0, 8.0]), logger]
    agent, data = make_agent(), data_of(buffer)
    history = fit(agent, data, callbacks, steps=2, epochs=2)
    assert history["episode_return"] == history["episode_length"] == [None] * 2
    assert history["evaluation_return"] == [3.0, 8.0]
    # Nor is the third epoch of the training evaluated.
    history = fit(agent, data, callbacks, steps=2, epochs=1)
    assert history["evaluation_return"] == [None]
    assert read(tmp_path / "history.csv")[0]["episode_return"] == "NA"


def test_a_checkpoint_within_epochs_waits_for_a_score(tmp_path):
    # Steps 5 to 7, 8 to 10 and so on, and the only episode ends at step 8.
    environment = make_scripted(lengths=(8, 100))
    buffer = make_buffer(environment)
    collect = CollectSteps(environment, buffer, Spy(), 1, 4)
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}_{batch}.keras",
        monitor="episode_return",
        mode="max",
        save_best_only=True,
        save_freq=1,
    )
    fit(make_agent(), data_of(buffer), [collect, best], steps=3, epochs=3)
    assert [path.name for path in tmp_path.iterdir()] == ["2_1.keras"]


def test_other_checkpoints_save_as_ever(tmp_path):
    all_of_them = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    loss = keras.callbacks.ModelCheckpoint(
        tmp_path / "loss_{epoch}.keras", monitor="loss", mode="min"
    )
    callbacks = [evaluate([3.0, 8.0]), all_of_them, loss]
    fit(make_agent(), SameBatch(), callbacks, steps=1, epochs=3)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"{a}{b}.keras" for a in ("", "loss_") for b in (1, 2, 3)]


def test_columns_of_scores_that_come_late(tmp_path):
    environment = make_scripted(lengths=(8, 3))
    buffer = make_buffer(environment)
    collect = CollectSteps(environment, buffer, Spy(), 1, 4)
    own = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(own=epoch)
    )
    logger = keras.callbacks.CSVLogger(tmp_path / "history.csv")
    callbacks = [collect, evaluate([3.0, 8.0, 5.0]), own, logger]
    history = fit(make_agent(), data_of(buffer), callbacks, steps=2, epochs=4)
    rows = read(tmp_path / "history.csv")
    for name, written in {
        "episode_return": ["NA", "8.0", "NA", "3.0"],
        "episode_length": ["NA", "8.0", "NA", "3.0"],
        "evaluation_return": ["3.0", "8.0", "NA", "5.0"],
        "environment_steps": ["6", "8", "10", "12"],
        "own": ["0", "1", "2", "3"],
    }.items():
        assert [row[name] for row in rows] == written
        assert [
            "NA" if value is None else str(value) for value in history[name]
        ] == written
    # The same callbacks in another `fit`, with new rows.
    fit(make_agent(), data_of(buffer), [collect, logger], steps=1)
    (row,) = read(tmp_path / "history.csv")
    assert row["episode_return"] == "NA" and "own" not in row


def test_the_progress_bar_shows_no_score_that_is_missing(capsys):
    environment = make_scripted(lengths=(8, 100))
    buffer = make_buffer(environment)
    collect = CollectSteps(environment, buffer, Spy(), 1, 4)
    fit(make_agent(), data_of(buffer), [collect], steps=2, epochs=3, verbose=1)
    first, second, third = capsys.readouterr().out.split("Epoch ")[1:]
    assert "episode_return: 8.0000" in second
    for output in (first, third):
        assert "environment_steps" in output
        assert "episode" not in output and "nan" not in output


def test_callbacks_of_one_fit_find_each_other():
    found = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            found.extend(find_siblings(self))

    first, second = Look(), evaluate([1.0])
    fit(make_agent(), SameBatch(), [first, second], steps=1)
    assert found[:2] == [first, second]
    assert isinstance(found[2], keras.callbacks.History)
    assert find_siblings(first) == []
