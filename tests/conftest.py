import keras
import pytest


def pytest_collection_modifyitems(items):
    if keras.backend.backend() == "tensorflow":
        return
    reason = "tf.data and TFP distributions need the TensorFlow backend"
    for item in items:
        if item.get_closest_marker("tensorflow_only"):
            item.add_marker(pytest.mark.skip(reason=reason))
