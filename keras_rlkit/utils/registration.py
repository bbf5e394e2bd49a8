"""One decorator that makes a class or function known to Keras' saving."""

from typing import Any

import keras


def register(thing: Any) -> Any:
    """Register a class or function under the package name `keras_rlkit`.

    A registered object is written to a `.keras` file by name and loads again
    with `safe_mode=True`, without `custom_objects` and without running code
    from the file.

    Args:
        thing: Class with `get_config()`, or a plain function.

    Returns:
        The same object.

    Example:

    ```python
    @register
    class MyLayer(keras.layers.Layer):
        ...
    ```
    """
    return keras.saving.register_keras_serializable("keras_rlkit")(thing)
