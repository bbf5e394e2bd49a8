"""A model's forward pass on JAX, with little around it."""

import weakref
from typing import Any

import keras

_COMPILED: Any = weakref.WeakKeyDictionary()


def forward(model: Any, observations: Any) -> Any:
    """Return what `model.predict_on_batch` does, sooner where it can be.

    Acting is many calls with few observations. On JAX, Keras' method takes
    longer to collect the variables and to put them back than a small network
    takes to compute. Wherever that method may do something else than
    one compiled `predict_step` on one device, it is called.

    Args:
        model: Keras model, or anything with `predict_on_batch`.
        observations: Observations, [N, ...].

    Returns:
        The model's output as arrays.
    """
    if not _is_plain(model):
        return model.predict_on_batch(observations)
    model.make_predict_function()
    compiled = _COMPILED.get(model)
    # Keras makes another function whenever something changes.
    if compiled is None or compiled.made_for() is not model.predict_function:
        compiled = _COMPILED[model] = _Forward(model)
    output = compiled(model, observations)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, output)


def _is_plain(model: Any) -> bool:
    return (
        keras.backend.backend() == "jax"
        and isinstance(model, keras.Model)
        and type(model).predict_on_batch is keras.Model.predict_on_batch
        and model.built
        and model.jit_compile
        and not model.run_eagerly
        and keras.distribution.distribution() is None
    )


class _Forward:
    """One compiled function, and the variables that it takes."""

    def __init__(self, model: keras.Model):
        import jax

        # Weak references: the model must be free to go before what is compiled
        # for it, and its own functions hold it.
        self.made_for = weakref.ref(model.predict_function)
        reference = weakref.ref(model)
        self._trainable = model.trainable_variables
        self._others = model.non_trainable_variables
        self._changed: list[int] = []

        @jax.jit
        def step(trainable: list, others: list, observations: Any) -> tuple:
            output, new = reference().predict_step(
                (trainable, others), (observations,)
            )
            # Generators of random numbers, say; mostly there is nothing.
            self._changed = [
                index
                for index, pair in enumerate(zip(others, new, strict=True))
                if pair[0] is not pair[1]
            ]
            return output, [new[index] for index in self._changed]

        self._step = step

    def __call__(self, model: keras.Model, observations: Any) -> Any:
        # Within `fit` the variables lie elsewhere.
        model.jax_state_sync()
        output, changed = self._step(
            [variable.value for variable in self._trainable],
            [variable.value for variable in self._others],
            observations,
        )
        for index, value in zip(self._changed, changed, strict=True):
            self._others[index].assign(value)
        return output
