import os
import pathlib
import warnings

import hypothesis
import keras
import pytest

# `HYPOTHESIS_PROFILE=nightly` looks much further, at other examples each time.
hypothesis.settings.register_profile(
    "quick", deadline=None, derandomize=True, max_examples=60
)
hypothesis.settings.register_profile(
    "nightly", deadline=None, max_examples=10_000
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# What calls no backend, or is slow and proves the same on each, runs once: with
# TensorFlow.
RUN_ONCE = (
    "callbacks/test_resume_after_kill.py",
    "docs/",
    "environments/",
    "replay/",
)
RUN_ON_EVERY_BACKEND = (
    "docs/test_examples.py",
    "replay/feeding/test_epoch_feed.py",
    "replay/feeding/test_epoch_source.py",
    "replay/feeding/test_jax_frames.py",
    "replay/feeding/test_jax_layout.py",
    "replay/feeding/test_py_dataset.py",
    "replay/feeding/test_transition_feed.py",
    "replay/sampling/test_prioritized.py",
    "replay/storage/test_epoch_samples.py",
    "replay/test_episode_buffer.py",
    "replay/test_replay_buffer.py",
    "replay/test_update_priorities.py",
)


@pytest.fixture
def as_printed(monkeypatch):
    """Holds examples to what a reader wants to see when `fit` runs them."""
    begin = keras.callbacks.History.on_train_begin

    def check(history, logs=None):
        steps = history.params["steps"]
        executed = history.model.steps_per_execution
        # Keras takes whole executions: a progress bar would end on 2504/2500.
        assert not (steps or 0) % executed, f"{steps} steps by {executed}"
        begin(history, logs)

    monkeypatch.setattr(keras.callbacks.History, "on_train_begin", check)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="`shuffle=True` was passed")
        yield


def pytest_collection_modifyitems(items):
    if keras.backend.backend() == "tensorflow":
        return
    root = pathlib.Path(__file__).parent
    for item in items:
        path = item.path.relative_to(root).as_posix()
        if item.get_closest_marker("tensorflow_only"):
            reason = "tf.data and TFP distributions need TensorFlow"
        elif path.startswith(RUN_ONCE) and path not in RUN_ON_EVERY_BACKEND:
            reason = "the same on each backend; runs with TensorFlow"
        else:
            continue
        item.add_marker(pytest.mark.skip(reason=reason))
