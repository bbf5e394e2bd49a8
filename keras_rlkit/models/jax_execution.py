"""Several gradient steps in one compiled function, on JAX."""

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import keras


def keras_scans() -> bool:
    """Say whether Keras itself takes the steps of an execution in one call."""
    version = tuple(int(part) for part in keras.__version__.split(".")[:2])
    return version >= (3, 16)


def can_scan(model: keras.Model) -> bool:
    """Say whether `make_scan` is right and worth it for a model.

    XLA's loops run convolutions on one core of a CPU.

    Args:
        model: Compiled Keras model.

    Returns:
        Whether the backend is JAX, several steps are to be executed at once,
        compiled, on one device, Keras doesn't do it itself, and either the
        device is an accelerator or no weight has more than two axes, as those
        of convolutions have.
    """
    if keras.backend.backend() != "jax" or keras_scans():
        return False
    import jax

    return (
        model.steps_per_execution > 1
        and model.jit_compile
        and not model.run_eagerly
        and keras.distribution.distribution() is None
        and (
            jax.default_backend() != "cpu"
            or all(len(variable.shape) < 3 for variable in model.variables)
        )
    )


def make_scan(
    model: keras.Model, one_by_one: Callable[[Any, Iterator], tuple]
) -> Callable[[Any, Iterator], tuple]:
    """Return a training function that takes all steps in one call.

    Keras calls a compiled step for each batch, which takes longer than the
    step of a small network.

    Args:
        model: Compiled Keras model for which `can_scan`.
        one_by_one: Keras' own training function, for batches of different
            shapes and for fewer of them than make an execution.

    Returns:
        A function of state and iterator that returns logs and state.
    """
    import jax
    import jax.numpy as jnp

    @functools.partial(jax.jit, donate_argnums=0)
    def scan(state: tuple, batches: list) -> tuple:
        def step(state: tuple, batch: Any) -> tuple:
            logs, state = model.train_step(state, batch)
            return state, logs

        stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *batches)
        state, logs = jax.lax.scan(step, state, stacked)
        return jax.tree.map(lambda values: values[-1], logs), state

    def execute(state: Any, iterator: Iterator) -> tuple:
        count = model.steps_per_execution
        batches = list(itertools.islice(iterator, count))
        shapes = [[x.shape for x in jax.tree.leaves(b)] for b in batches]
        if len(batches) < count or shapes != shapes[:1] * count:
            return one_by_one(state, iter(batches))
        return scan(state, batches)

    return execute
