"""The contract of callbacks."""

import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.callbacks import ResumeTraining
from keras_rlkit.testing.clauses import require, run_clauses
from keras_rlkit.testing.comparisons import differ, to_array
from keras_rlkit.testing.configuration_checks import (
    check_arguments,
    check_refused,
)
from keras_rlkit.testing.docstring_checks import check_docstring

#: The constructor's arguments, a compiled model, and arguments of `fit`.
Parts = tuple[dict[str, Any], keras.Model, dict[str, Any]]


def check_callback(
    callback: type[keras.callbacks.Callback],
    make_parts: Callable[[pathlib.Path], Parts],
    bad: dict[str, list[Any]] | None = None,
    skip: dict[str, str] | None = None,
) -> None:
    """Check that a callback keeps the contract of the kit's callbacks.

    Clauses, in their order:

    - `arguments`, `refusals`: as in `check_layer`. A `seed` need not be kept.
    - `fit`: training with it gives logs of finite numbers.
    - `steps_per_execution`: it works in one with two steps in an execution.
    - `resume`: a training that `ResumeTraining` has interrupted after one of
      three epochs ends with the weights and logs of one without a break.
    - `docstring`: it has `Args` and an example.

    Args:
        callback: The class.
        make_parts: Function of a folder, for what the callback writes, that
            makes everything anew: a tuple of the constructor's arguments, none
            of them its default, a compiled model, and the arguments of `fit`.
            These may have `callbacks`, which come before it, and give epochs
            an even number of steps. Random seeds are set before each call.
        bad: Lists of values to refuse, by the argument's name.
        skip: Clauses that can't hold for this callback, each with the reason.

    Raises:
        AssertionError: If a clause is broken; the message names it.
        ValueError: If `skip` names no clause.

    Example:

    ```python
    def make_parts(folder):
        network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        network.compile("sgd", "mse")
        arguments = {
            "environment": rlk.testing.CounterEnvironment(),
            "policy": rlk.policies.Greedy(),
            "episodes": 2,
            "every_epochs": 2,
            "seed": 1,
            "max_steps": 10,
        }
        data = {"x": np.ones((4, 2)), "y": np.ones((4, 2)), "batch_size": 2}
        return arguments, network, data

    rlk.testing.check_callback(
        rlk.callbacks.EvaluatePolicy, make_parts, bad={"episodes": [0]}
    )
    ```
    """
    with tempfile.TemporaryDirectory() as base:
        folders = (pathlib.Path(base) / f"{n:03}" for n in range(1_000))

        def make() -> Parts:
            keras.utils.set_random_seed(0)
            folder = next(folders)
            folder.mkdir()
            return make_parts(folder)

        def fit(
            epochs: int, *before: keras.callbacks.Callback, execution: int = 1
        ) -> dict[str, Any]:
            arguments, model, options = make()
            model.steps_per_execution = execution
            history = model.fit(
                **{
                    "verbose": 0,
                    **options,
                    "epochs": epochs,
                    "callbacks": [
                        *before,
                        *options.get("callbacks", []),
                        callback(**arguments),
                    ],
                }
            )
            require(
                all(
                    value is None or np.isfinite(value)
                    for values in history.history.values()
                    for value in values
                ),
                "logs must be finite numbers, or None where there is no "
                f"score. Received: {history.history}.",
            )
            weights = [to_array(weight) for weight in model.weights]
            # How long something took is never the same again.
            logs = {
                name: values
                for name, values in history.history.items()
                if not name.startswith("time_")
            }
            return {"weights": weights, "logs": logs}

        def same(received: dict[str, Any], expected: dict[str, Any]) -> None:
            require(
                not differ(received["logs"], expected["logs"]),
                f"logs must be {expected['logs']}. "
                f"Received: {received['logs']}.",
            )
            require(
                not differ(received["weights"], expected["weights"]),
                "weights must be the same, bit for bit.",
            )

        def resume() -> None:
            folder = next(folders)
            straight = fit(3, ResumeTraining(folder / "straight", seed=0))
            fit(1, ResumeTraining(folder / "resumed", seed=0))
            same(fit(3, ResumeTraining(folder / "resumed", seed=0)), straight)

        run_clauses(
            callback,
            {
                "arguments": lambda: check_arguments(
                    callback, lambda: make()[0], ("seed",)
                ),
                "refusals": lambda: check_refused(
                    callback, lambda: make()[0], bad
                ),
                "fit": lambda: fit(2),
                "steps_per_execution": lambda: fit(1, execution=2),
                "resume": resume,
                "docstring": lambda: check_docstring(callback),
            },
            skip,
        )
