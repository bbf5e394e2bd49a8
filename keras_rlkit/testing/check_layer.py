"""The contract of layers."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.testing.clauses import run_clauses
from keras_rlkit.testing.configuration_checks import Arguments
from keras_rlkit.testing.layer_clauses import layer_clauses


def check_layer(
    layer: type[keras.layers.Layer],
    arguments: Arguments = None,
    inputs: np.ndarray | None = None,
    targets: np.ndarray | None = None,
    bad: dict[str, list[Any]] | None = None,
    skip: dict[str, str] | None = None,
) -> None:
    """Check that a layer keeps the contract of Keras' and the kit's layers.

    Clauses, in their order:

    - `arguments`: each has a value other than its default here, and is kept
      as an attribute.
    - `refusals`: bad values raise an error that names and shows them.
    - `configuration`: `get_config` has all arguments, before and after
      building, and Keras makes the same layer of it.
    - `shapes`: what Keras foretells of the output is true.
    - `file`, `pickle`: a model with the layer comes back in safe mode, with
      its weights and the same output.
    - `jit_compile`, `steps_per_execution`: training by XLA, or several steps
      at once, ends with the weights of single steps.
    - `mixed_bfloat16`, `mixed_float16`: weights are float32, and training
      changes them by finite gradients.
    - `docstring`: it has `Args`, `Input shape`, `Output shape` and an example.

    In training a `Dense` layer stands before the layer, so that gradients have
    to come through it.

    Args:
        layer: The class.
        arguments: Constructor's arguments, none of them its default; or a
            function that makes them.
        inputs: Float array [B, ...] with B a multiple of 4. Defaults to
            normal numbers [8, 3].
        targets: Array that the output is trained to, by squared error.
            Defaults to normal numbers of the output's shape.
        bad: Lists of values to refuse, by the argument's name.
        skip: Clauses that can't hold for this layer, each with the reason.

    Raises:
        AssertionError: If a clause is broken; the message names it.
        ValueError: If `skip` names no clause.

    Example:

    ```python
    @keras.saving.register_keras_serializable("my_package")
    class Scale(keras.layers.Layer):

        def __init__(self, factor=1.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, inputs):
            return inputs * self.factor

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    rlk.testing.check_layer(
        Scale, arguments={"factor": 3.0}, skip={"docstring": "for a test only"}
    )
    ```
    """
    run_clauses(
        layer,
        layer_clauses(layer, arguments, inputs, targets, bad, lambda: "mse"),
        skip,
    )
