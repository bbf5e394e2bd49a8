import os

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


def pytest_collection_modifyitems(items):
    if keras.backend.backend() == "tensorflow":
        return
    reason = "tf.data and TFP distributions need the TensorFlow backend"
    for item in items:
        if item.get_closest_marker("tensorflow_only"):
            item.add_marker(pytest.mark.skip(reason=reason))
