"""The contract of metrics."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.testing.clauses import require, run_clauses
from keras_rlkit.testing.comparisons import to_array, to_json
from keras_rlkit.testing.configuration_checks import (
    Arguments,
    check_arguments,
    check_configuration,
    check_refused,
    make_arguments,
)
from keras_rlkit.testing.docstring_checks import check_docstring
from keras_rlkit.testing.prediction_model import make_prediction_model, predict
from keras_rlkit.testing.saving_checks import pickled


def check_metric(
    metric: type[keras.metrics.Metric],
    targets: np.ndarray,
    predictions: np.ndarray,
    arguments: Arguments = None,
    last_layer: Callable[[], keras.layers.Layer] | None = None,
    bad: dict[str, list[Any]] | None = None,
    skip: dict[str, str] | None = None,
) -> None:
    """Check that a metric keeps the contract of the kit's metrics.

    Clauses, in their order:

    - `arguments`, `refusals`, `configuration`: as in `check_layer`.
    - `batches`: the result over two batches is the one over both at once, a
      finite scalar; `reset_state` forgets them.
    - `sample_weight`: weights of 1 change nothing, a weight of 0 leaves a
      sample out.
    - `evaluate`, `jit_compile`: `evaluate` of a compiled model gives the same.
    - `pickle`: a copy has the same configuration.
    - `docstring`: it has `Args`, `Call arguments`, `Output shape` and an
      example.

    Args:
        metric: The class.
        targets: Array [B, ...] with B even. Without the first target the
            metric has another value.
        predictions: Float array [B, ...].
        arguments: Constructor's arguments, none of them its default.
        last_layer: Function that makes the layer which turns predictions into
            what the metric takes, such as a distribution head; `None` if it
            takes them as they are.
        bad: Lists of values to refuse, by the argument's name.
        skip: Clauses that can't hold for this metric, each with the reason.

    Raises:
        AssertionError: If a clause is broken; the message names it.
        ValueError: If `skip` names no clause.

    Example:

    ```python
    rlk.testing.check_metric(
        keras.metrics.MeanSquaredError,
        targets=np.arange(4.0)[:, None],
        predictions=np.ones((4, 1)),
        skip={"docstring": "it is Keras' own"},
    )
    ```
    """
    rows = len(targets)

    def result(*batches: slice, weight: Any = None, reset: bool = False) -> Any:
        made = metric(**make_arguments(arguments))
        if reset:
            made.update_state(targets, predict(predictions, last_layer))
            made.reset_state()
        for batch in batches:
            made.update_state(
                targets[batch],
                predict(predictions[batch], last_layer),
                sample_weight=weight,
            )
        return to_array(made.result())

    whole = slice(None)

    def same(received: Any, expected: Any, message: str) -> None:
        require(
            np.allclose(received, expected, rtol=1e-5, atol=1e-6),
            f"{message} Received: {received}, expected: {expected}.",
        )

    def batches() -> None:
        expected = result(whole)
        require(
            expected.shape == () and np.isfinite(expected),
            f"the result must be a finite scalar. Received: {expected}.",
        )
        halves = slice(0, rows // 2), slice(rows // 2, None)
        same(result(*halves), expected, "two batches must be one of both.")
        same(
            result(halves[1], reset=True),
            result(halves[1]),
            "`reset_state` must forget the batches before.",
        )

    def sample_weight() -> None:
        ones = np.ones(rows, "float32")
        same(
            result(whole, weight=ones),
            result(whole),
            "weights of 1 must change nothing.",
        )
        without = ones.copy()
        without[0] = 0
        expected = result(slice(1, None))
        require(
            not np.allclose(expected, result(whole), rtol=1e-5),
            "`targets` must be such that the first one changes the metric.",
        )
        same(
            result(whole, weight=without),
            expected,
            "a weight of 0 must leave its sample out.",
        )

    def evaluate(jit_compile: bool) -> None:
        model = make_prediction_model(predictions, last_layer, trains=False)
        made = metric(**make_arguments(arguments))
        model.compile(loss=_nothing, metrics=[made], jit_compile=jit_compile)
        logs = model.evaluate(
            predictions,
            targets,
            batch_size=rows // 2,
            verbose=0,
            return_dict=True,
        )
        halves = slice(0, rows // 2), slice(rows // 2, None)
        same(
            logs[made.name],
            result(*halves),
            f"`evaluate` with jit_compile={jit_compile} must give the same.",
        )

    def pickle() -> None:
        made = metric(**make_arguments(arguments))
        again = pickled(made)
        require(
            to_json(again.get_config()) == to_json(made.get_config()),
            f"a pickled metric must keep {made.get_config()}. "
            f"Received: {again.get_config()}.",
        )

    run_clauses(
        metric,
        {
            "arguments": lambda: check_arguments(metric, arguments),
            "refusals": lambda: check_refused(metric, arguments, bad),
            "configuration": lambda: check_configuration(metric, arguments),
            "batches": batches,
            "sample_weight": sample_weight,
            "evaluate": lambda: evaluate(jit_compile=False),
            "jit_compile": lambda: evaluate(jit_compile=True),
            "pickle": pickle,
            "docstring": lambda: check_docstring(
                metric, ("Call arguments", "Output shape")
            ),
        },
        skip,
    )


def _nothing(y_true: Any, y_pred: Any) -> Any:
    """A loss for any prediction: `evaluate` asks for one."""
    return 0.0 * keras.ops.mean(keras.ops.cast(y_pred, "float32"))
