import shutil

import gymnasium
import keras
import pytest

from keras_rlkit.callbacks import (
    ResumeTraining,
)
from tests.callbacks.resumable import (
    Engine,
    Training,
    cartpole,
    differences,
    straight,
)


class Fail(keras.callbacks.Callback):
    def __init__(self, epoch, batch=2):
        super().__init__()
        self.place, self.epoch = (epoch, batch), None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.place:
            raise RuntimeError("the environment broke")


@pytest.mark.parametrize(
    ("every", "make_environment"), [(1, Engine), (2, cartpole)]
)
def test_after_an_error_in_the_middle_of_an_epoch(
    tmp_path, every, make_environment
):
    arguments = {"every": every, "make_environment": make_environment}
    for epoch in (0, 3):
        # Before anything was saved, and after.
        failing = Training(tmp_path, callbacks=[Fail(epoch)], **arguments)
        with pytest.raises(RuntimeError, match="the environment broke"):
            failing.fit(5)
    resumed = Training(tmp_path, **arguments).fit(5)
    expected = straight(5, **arguments)
    assert differences(expected, resumed.everything()) == []
    assert resumed.history.epoch == [0, 1, 2, 3, 4]


def test_an_environment_that_raises(tmp_path):
    class Breaking(gymnasium.Wrapper):
        def step(self, action):
            nonlocal steps_left
            steps_left -= 1
            if not steps_left:
                raise RuntimeError("out of steps")
            return super().step(action)

    def make_environment():
        return Breaking(gymnasium.make("CartPole-v1"))

    # 20 steps of warm-up, and 9 in each epoch.
    steps_left = 40
    with pytest.raises(RuntimeError, match="out of steps"):
        Training(tmp_path / "s", make_environment).fit(4)
    resumed = Training(tmp_path / "s", make_environment).fit(4)
    assert resumed.history.epoch == [0, 1, 2, 3]
    assert resumed.collect.environment_steps == 20 + 4 * 9
    # Two epochs were played a second time, after a warm-up to be forgotten.
    assert steps_left == -(0 + 2 * 9)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with the saves of three epochs."""
    folder = tmp_path_factory.mktemp("saved") / "saves"
    Training(folder).fit(3)
    return folder


def test_another_model(saved):
    with pytest.raises(
        ValueError,
        match=r"(?s)`folder` must hold a save of this training.*The model must "
        r"have the variables .*\(4, 9\).*Received: a state with .*\(4, 8\).*"
        "Take another folder",
    ):
        Training(saved, units=9).fit(4)


def test_another_buffer(saved):
    with pytest.raises(
        ValueError,
        match="same arguments: {'capacity': 70, 'n_step': 2}. Received: a "
        "state with {'capacity': 60, 'n_step': 3}",
    ):
        Training(saved, n_step=2, capacity=70).fit(4)


def test_another_environment(saved):
    with pytest.raises(ValueError, match="a state of .*TimeLimit for .*Order"):
        Training(
            saved,
            lambda: gymnasium.make("CartPole-v1", max_episode_steps=-1),
        ).fit(4)


def test_other_callbacks(saved):
    with pytest.raises(
        ValueError,
        match="`folder` must hold a training with {'callbacks': "
        r"\['CollectSteps', 'EvaluatePolicy'\].*saved with {'callbacks': "
        r"\['CollectSteps'\]",
    ):
        Training(saved, evaluate=True).fit(4)


def test_a_full_disk(tmp_path, monkeypatch):
    training = Training(tmp_path)
    saves = training.callbacks[0]._saves
    write = saves._write

    def fail_later(path, content):
        if path.name == "save_00000003.json":
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(saves, "_write", fail_later)
    with pytest.raises(OSError, match="could not be written: .*No space left"):
        training.fit(4)
    resumed = Training(tmp_path).fit(4)
    assert differences(straight(4), resumed.everything()) == []


def test_a_damaged_save_resumes_the_one_before(tmp_path, saved):
    folder = shutil.copytree(saved, tmp_path / "saves")
    path = folder / "save_00000003.json"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="Save 2, the one before, is used"):
        resumed = Training(folder).fit(4)
    assert differences(straight(4), resumed.everything()) == []


@pytest.mark.parametrize("every", [0, -1, 1.5, "epoch"])
def test_every_must_be_a_positive_integer(every):
    with pytest.raises(ValueError, match="`every` must be a positive integer"):
        ResumeTraining("folder", every)
