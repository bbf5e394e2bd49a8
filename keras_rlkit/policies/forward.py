"""A model's forward pass, with little around it."""

import weakref
from typing import Any

import keras

_COMPILED: Any = weakref.WeakKeyDictionary()


def forward(model: Any, observations: Any) -> Any:
    """Return what `model.predict_on_batch` does, sooner where it can be.

    Acting is many calls with few observations, for which Keras' method takes
    longer to look at its arguments and to collect variables than a small
    network takes to compute. Wherever that method may do something else than
    one compiled `predict_step` on one device, it is called.

    Args:
        model: Keras model, or anything with `predict_on_batch`.
        observations: Observations, [N, ...].

    Returns:
        The model's output as arrays.
    """
    compiled = _compiled(model, observations)
    if compiled is None:
        return model.predict_on_batch(observations)
    output = compiled(model, observations)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, output)


def _compiled(model: Any, observations: Any) -> Any:
    """Return a model's own compiled function, or `None` if it has none."""
    if keras.backend.backend() == "jax":
        from keras_rlkit.policies import jax_forward as leaf
    elif keras.backend.backend() == "tensorflow":
        from keras_rlkit.policies import tf_forward as leaf
    else:
        return None
    if not (
        isinstance(model, keras.Model)
        and type(model).predict_on_batch is keras.Model.predict_on_batch
        and model.built
        and leaf.can_compile(model, observations)
    ):
        return None
    model.make_predict_function()
    compiled = _COMPILED.get(model)
    # Keras makes another function whenever something changes. Weak references:
    # the model must be free to go before what is compiled for it, and its own
    # functions hold it.
    if compiled is None or compiled[0]() is not model.predict_function:
        compiled = weakref.ref(model.predict_function), leaf.Forward(model)
        _COMPILED[model] = compiled
    return compiled[1]
