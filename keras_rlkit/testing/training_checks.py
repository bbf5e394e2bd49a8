"""Clauses on compiled training steps and on mixed precision."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_rlkit.testing.clauses import require
from keras_rlkit.testing.comparisons import to_array

# Of gradients, XLA adds up the terms in another order.
TOLERANCE = {"rtol": 2e-4, "atol": 2e-5}
STEPS = 4


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Make everything in a block with a dtype policy of Keras."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class Training:
    """A short training that can be repeated in other ways.

    Args:
        make: Function that makes a model, without compiling it.
        data: Function that gives `x`, `y` and maybe `sample_weight` of `fit`.
        compile: Function that makes further arguments of `compile`, such as
            `loss`.
    """

    def __init__(
        self,
        make: Callable[[], keras.Model],
        data: Callable[[], tuple[Any, ...]],
        compile: Callable[[], dict[str, Any]],
    ):
        self._make = make
        self._data = data
        self._compile = compile
        self._single: list[np.ndarray] | None = None
        self._both_hold = False

    def compiled(
        self, learning_rate: float = 0.05, **options: Any
    ) -> keras.Model:
        """Return a new model, from the same seed each time, compiled."""
        keras.utils.set_random_seed(0)
        model = self._make()
        # Momentum, for a state that a file has to keep.
        optimizer = keras.optimizers.SGD(learning_rate, momentum=0.9)
        model.compile(optimizer=optimizer, **{**self._compile(), **options})
        # A file of a model that was never trained would leave it out.
        model.optimizer.build(model.trainable_variables)
        return model

    def fit(self, model: keras.Model, epochs: int = 1) -> list[np.ndarray]:
        """Train on all data in their order; return weights as arrays."""
        x, y, *weight = self._data()
        rows = len(keras.tree.flatten(x)[0])
        losses = model.fit(
            x,
            y,
            sample_weight=weight[0] if weight else None,
            batch_size=rows // STEPS,
            epochs=epochs,
            shuffle=False,
            verbose=0,
        ).history["loss"]
        require(
            np.isfinite(losses).all(),
            f"the loss must stay finite. Received: {losses}.",
        )
        return [to_array(weight) for weight in model.weights]

    def single_steps(self) -> list[np.ndarray]:
        """Return the weights after single steps that nothing compiles."""
        if self._single is None:
            self._single = self.fit(self.compiled(run_eagerly=True))
        return self._single

    def check_jit_compile(self) -> None:
        """Check that training compiled by XLA ends with the same weights."""
        # Both clauses by one compilation, where nothing is wrong.
        both = {"jit_compile": True, "steps_per_execution": 2}
        with contextlib.suppress(Exception):
            self._check_same(both)
            self._both_hold = True
        if not self._both_hold:
            self._check_same({"jit_compile": True})

    def check_steps_per_execution(self) -> None:
        """Check that two steps in one execution are two single steps."""
        if not self._both_hold:
            jit = keras.backend.backend() == "jax"
            self._check_same({"jit_compile": jit, "steps_per_execution": 2})

    def check_precision(self, policy: str) -> None:
        """Check training under a dtype policy.

        Raises:
            AssertionError: If weights aren't float32, stand still or are not
                finite: a gradient that isn't finite lets mixed float16 leave
                out every step.
        """
        eager = keras.backend.backend() == "tensorflow"
        with precision(policy):
            model = self.compiled(0.01, run_eagerly=eager)
            before = [to_array(weight) for weight in model.trainable_weights]
            dtypes = {weight.dtype for weight in model.trainable_weights}
            require(
                dtypes == {"float32"},
                f"weights must be float32 under {policy}. Received: {dtypes}.",
            )
            # A gradient that is too large for float16 halves the scale.
            self.fit(model, epochs=1 if policy == "mixed_bfloat16" else 2)
        after = [to_array(weight) for weight in model.trainable_weights]
        require(
            all(np.isfinite(array).all() for array in after),
            f"weights must stay finite under {policy}.",
        )
        require(
            any(np.any(a != b) for a, b in zip(before, after, strict=True)),
            f"training must change the weights under {policy}: no gradient "
            "arrived, or none was finite.",
        )

    def _check_same(self, options: dict[str, Any]) -> None:
        weights = self.fit(self.compiled(**options))
        for one, other in zip(self.single_steps(), weights, strict=True):
            np.testing.assert_allclose(
                other,
                one,
                **TOLERANCE,
                err_msg=f"with {options} weights differ from those after "
                "single steps that nothing compiles",
            )

    def clauses(self) -> dict[str, Callable[[], None]]:
        """Return the clauses by name."""
        return {
            "jit_compile": self.check_jit_compile,
            "steps_per_execution": self.check_steps_per_execution,
            "mixed_bfloat16": lambda: self.check_precision("mixed_bfloat16"),
            "mixed_float16": lambda: self.check_precision("mixed_float16"),
        }
