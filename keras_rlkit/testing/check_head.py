"""The contract of layers that give a distribution."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.losses import NegativeLogLikelihood
from keras_rlkit.ops.prediction_checks import is_distribution
from keras_rlkit.testing.clauses import require, run_clauses
from keras_rlkit.testing.configuration_checks import Arguments, make_arguments
from keras_rlkit.testing.layer_clauses import layer_clauses
from keras_rlkit.testing.training_checks import precision


def check_head(
    head: type[keras.layers.Layer],
    targets: np.ndarray,
    arguments: Arguments = None,
    inputs: np.ndarray | None = None,
    bad: dict[str, list[Any]] | None = None,
    skip: dict[str, str] | None = None,
) -> None:
    """Check that a distribution head keeps the contract of the kit's heads.

    The clauses of `check_layer`, trained by `NegativeLogLikelihood`; copies
    have to give the same log-probabilities. One more:

    - `distribution`: the output is a distribution over targets, its log
      likelihood finite and float32 whatever the precision of the features.

    Needs TensorFlow, as every head does.

    Args:
        head: The class, a `DistributionHead` or another layer whose output is
            a distribution.
        targets: Array [B, ...] of possible targets.
        arguments: Constructor's arguments, none of them its default; or a
            function that makes them.
        inputs: Float array [B, ...] with B a multiple of 4. Defaults to
            normal numbers [8, 3].
        bad: Lists of values to refuse, by the argument's name.
        skip: Clauses that can't hold for this head, each with the reason.

    Raises:
        AssertionError: If a clause is broken; the message names it.
        ValueError: If `skip` names no clause.

    Example:

    ```python
    rlk.testing.check_head(
        rlk.layers.PoissonHead,
        targets=np.ones((8, 2)),
        arguments={"units": 2, "min_rate": 0.01},
        bad={"min_rate": [0, -1.0]},
    )
    ```
    """
    if inputs is None:
        numbers = np.random.default_rng(0).normal(size=(8, 3))
        inputs = numbers.astype("float32")

    def distribution() -> None:
        for policy in ("float32", "mixed_bfloat16"):
            with precision(policy):
                made = head(**make_arguments(arguments))
                features = keras.ops.cast(inputs, policy.split("_")[-1])
                output = made(features)
            require(
                is_distribution(output),
                "the output must be a distribution. "
                f"Received: {type(output).__name__}.",
            )
            shape = (*output.batch_shape, *output.event_shape)
            require(
                shape == targets.shape,
                "the distribution must be one over the targets, "
                f"{targets.shape}. Received: {shape}.",
            )
            values = output.log_prob(targets)
            require(
                values.dtype == "float32" and np.isfinite(values).all(),
                "log-probabilities must be finite and float32 under "
                f"{policy}. Received: {values.dtype}, {np.asarray(values)}.",
            )

    clauses = layer_clauses(
        head, arguments, inputs, targets, bad, NegativeLogLikelihood
    )
    run_clauses(head, {**clauses, "distribution": distribution}, skip)
