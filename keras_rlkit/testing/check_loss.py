"""The contract of losses."""

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
from keras_rlkit.testing.saving_checks import pickled, save_and_load
from keras_rlkit.testing.training_checks import Training


def check_loss(
    loss: type[keras.losses.Loss],
    targets: np.ndarray,
    predictions: np.ndarray,
    arguments: Arguments = None,
    last_layer: Callable[[], keras.layers.Layer] | None = None,
    bad: dict[str, list[Any]] | None = None,
    skip: dict[str, str] | None = None,
) -> None:
    """Check that a loss keeps the contract of Keras' and the kit's losses.

    Clauses, in their order:

    - `arguments`, `refusals`, `configuration`: as in `check_layer`.
    - `reduction`: without one there is a finite value for each sample; `"sum"`
      and `"sum_over_batch_size"` are their sum and mean.
    - `sample_weight`: weights of 1 change nothing, the weight of a sample
      changes its own value alone, and the target of one with weight 0 may be
      anything.
    - `file`, `pickle`: a compiled model comes back with the same loss.
    - `jit_compile`, `steps_per_execution`, `mixed_bfloat16`, `mixed_float16`:
      as in `check_layer`, of a `Dense` layer under the loss.
    - `docstring`: it has `Args`, `Call arguments`, `Output shape` and an
      example.

    Args:
        loss: The class.
        targets: Array [B, ...] with B a multiple of 4; the first two targets
            differ.
        predictions: Float array [B, ...].
        arguments: Constructor's arguments, none of them its default.
        last_layer: Function that makes the layer which turns predictions into
            what the loss takes, such as a softmax or a distribution head;
            `None` if it takes them as they are.
        bad: Lists of values to refuse, by the argument's name.
        skip: Clauses that can't hold for this loss, each with the reason.

    Raises:
        AssertionError: If a clause is broken; the message names it.
        ValueError: If `skip` names no clause.

    Example:

    ```python
    rlk.testing.check_loss(
        rlk.losses.PolicyGradientLoss,
        targets=np.array([0, 1, 2, 0]),
        predictions=np.random.default_rng(0).normal(size=(4, 3)),
        arguments={
            "entropy_weight": 0.1,
            "from_logits": False,
            "reduction": "sum",
        },
        last_layer=keras.layers.Softmax,
        bad={"entropy_weight": [-1.0]},
    )
    ```
    """
    prediction = predict(predictions, last_layer)
    rows = len(targets)

    def value(reduction: Any, weight: Any = None, y: Any = targets) -> Any:
        made = loss(**make_arguments(arguments))
        made.reduction = reduction
        return to_array(made(y, prediction, sample_weight=weight))

    def reduction() -> None:
        values = value(None)
        require(
            values.shape[:1] == (rows,) and np.isfinite(values).all(),
            f"without reduction there must be a finite value for each of "
            f"{rows} samples. Received: {values}.",
        )
        for name, expected in (
            ("sum", values.sum()),
            ("sum_over_batch_size", values.mean()),
        ):
            np.testing.assert_allclose(
                value(name), expected, rtol=1e-5, err_msg=f"reduction {name!r}"
            )

    def sample_weight() -> None:
        ones = np.ones(rows, "float32")
        plain = value(None)
        np.testing.assert_allclose(
            value(None, ones), plain, rtol=1e-6, err_msg="weights of 1"
        )
        first = ones.copy()
        first[0] = 3
        weighted = value(None, first)
        require(
            np.any(weighted[0] != plain[0]),
            "the weight of a sample must change its value: `sample_weight` "
            "is ignored.",
        )
        np.testing.assert_allclose(
            weighted[1:], plain[1:], rtol=1e-6, err_msg="other samples' values"
        )
        first[0] = 0
        other = targets.copy()
        other[0] = targets[1]
        require(
            np.allclose(
                value("sum", first), value("sum", first, other), rtol=1e-6
            ),
            "the target of a sample with weight 0 must not matter.",
        )

    training = Training(
        lambda: make_prediction_model(predictions, last_layer),
        lambda: (predictions, targets),
        lambda: {"loss": loss(**make_arguments(arguments))},
    )

    def check_same(original: Any, copy: Any) -> None:
        require(
            type(copy) is loss
            and to_json(copy.get_config()) == to_json(original.get_config()),
            f"the loss must come back as {original.get_config()}. "
            f"Received: {copy}.",
        )

    def file() -> None:
        model = training.compiled()
        check_same(model.loss, save_and_load(model).loss)

    def pickle() -> None:
        made = loss(**make_arguments(arguments))
        check_same(made, pickled(made))

    run_clauses(
        loss,
        {
            "arguments": lambda: check_arguments(loss, arguments),
            "refusals": lambda: check_refused(loss, arguments, bad),
            "configuration": lambda: check_configuration(loss, arguments),
            "reduction": reduction,
            "sample_weight": sample_weight,
            "file": file,
            "pickle": pickle,
            **training.clauses(),
            "docstring": lambda: check_docstring(
                loss, ("Call arguments", "Output shape")
            ),
        },
        skip,
    )
