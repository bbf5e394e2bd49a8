"""A model's forward pass on JAX, compiled where the model is."""

import weakref
from typing import Any

import keras


def can_compile(model: keras.Model, observations: Any) -> bool:
    """Say whether `Forward` does what Keras' own function would."""
    return keras.distribution.distribution() is None


class Forward:
    """One function, and the variables that it takes.

    Keras' own function collects all variables and puts them back at each call,
    and takes rows for steps where a development version of Keras 3.16 executes
    several.

    Args:
        model: The model. It isn't kept alive.
    """

    def __init__(self, model: keras.Model):
        import jax

        reference = weakref.ref(model)
        self._trainable = model.trainable_variables
        self._others = model.non_trainable_variables
        self._changed: list[int] = []

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

        compiled = model.jit_compile and not model.run_eagerly
        self._step = jax.jit(step) if compiled else step

    def __call__(self, model: keras.Model, observations: Any) -> Any:
        """Return the model's output."""
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
