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

    Args:
        model: Compiled Keras model.

    Returns:
        Whether the backend is JAX, several steps are to be executed at once,
        compiled, on one device, Keras doesn't do it itself, and a loop is no
        slower than its steps.
    """
    return _executes_several(model) and not keras_scans() and _loops_well(model)


def must_unroll(model: keras.Model) -> bool:
    """Say whether a loop of Keras is slower than the steps in it.

    Args:
        model: Compiled Keras model.
    """
    return _executes_several(model) and keras_scans() and not _loops_well(model)


def _executes_several(model: keras.Model) -> bool:
    return (
        keras.backend.backend() == "jax"
        and model.steps_per_execution > 1
        and model.jit_compile
        and not model.run_eagerly
        and keras.distribution.distribution() is None
    )


def _loops_well(model: keras.Model) -> bool:
    """Say whether XLA's loops are fast: on a CPU convolutions get one core."""
    import jax

    # Weights of convolutions have more than two axes.
    return jax.default_backend() != "cpu" or all(
        len(variable.shape) < 3 for variable in model.variables
    )


def make_unrolled(model: keras.Model) -> Callable[[Any, Iterator], tuple]:
    """Return a training function that takes steps one by one.

    Args:
        model: Compiled Keras model for which `must_unroll`.

    Returns:
        A function of state and iterator that returns logs and state. The
        iterator gives the batches of an execution as a list, or stacked.
    """
    import jax

    train_step = jax.jit(model.train_step, donate_argnums=0)

    def execute(state: Any, iterator: Iterator) -> tuple:
        batches = next(iterator)
        if not isinstance(batches, list):
            count = len(jax.tree.leaves(batches)[0])
            batches = [
                jax.tree.map(lambda part, i=i: part[i], batches)
                for i in range(count)
            ]
        for batch in batches:
            logs, state = train_step(state, batch)
        return logs, state

    return execute


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


def change_in_state(
    model: keras.Model, state: tuple, change: Callable[[], None]
) -> tuple:
    """Change variables that are no trained ones, within JAX' explicit state.

    Args:
        model: Compiled Keras model.
        state: What `train_step` takes and returns: values of trained and of
            other variables, and others.
        change: Assigns to variables.

    Returns:
        The state behind it.
    """
    trainable, non_trainable, *others = state
    mapping = [
        *zip(model.trainable_variables, trainable, strict=True),
        *zip(model.non_trainable_variables, non_trainable, strict=True),
    ]
    with keras.StatelessScope(state_mapping=mapping) as scope:
        change()
    changed = [
        scope.get_current_value(variable)
        for variable in model.non_trainable_variables
    ]
    return trainable, changed, *others
