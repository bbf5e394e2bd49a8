"""The clauses that layers and heads have in common."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.testing.clauses import require
from keras_rlkit.testing.comparisons import differ, to_arrays, to_json
from keras_rlkit.testing.configuration_checks import (
    Arguments,
    check_arguments,
    check_configuration,
    check_refused,
    make_arguments,
)
from keras_rlkit.testing.docstring_checks import check_docstring
from keras_rlkit.testing.saving_checks import (
    check_copy,
    pickled,
    save_and_load,
    shift_weights,
)
from keras_rlkit.testing.training_checks import Training, precision


def layer_clauses(
    layer: type[keras.layers.Layer],
    arguments: Arguments,
    inputs: np.ndarray | None,
    targets: np.ndarray | None,
    bad: dict[str, list[Any]] | None,
    make_loss: Callable[[], Any],
) -> dict[str, Callable[[], None]]:
    """Return the clauses of `check_layer` by name; see there.

    Args:
        layer: As in `check_layer`.
        arguments: As in `check_layer`.
        inputs: As in `check_layer`.
        targets: As in `check_layer`.
        bad: As in `check_layer`.
        make_loss: Makes the loss of trainings.
    """
    if inputs is None:
        numbers = np.random.default_rng(0).normal(size=(8, 3))
        inputs = numbers.astype("float32")

    def make() -> keras.layers.Layer:
        return layer(**make_arguments(arguments))

    def make_model() -> keras.Model:
        return keras.Sequential(
            [
                keras.Input(inputs.shape[1:], dtype=inputs.dtype.name),
                keras.layers.Dense(inputs.shape[-1], name="before"),
                make(),
            ]
        )

    def targets_of_training() -> np.ndarray:
        if targets is not None:
            return targets
        shape = tuple(make()(inputs).shape)
        numbers = np.random.default_rng(1).normal(size=shape)
        return numbers.astype("float32")

    def configuration() -> None:
        check_configuration(layer, arguments)
        built = make()
        text = to_json(built.get_config())
        built(inputs)
        require(
            to_json(built.get_config()) == text,
            "building the layer must not change its configuration. "
            f"Received: {built.get_config()} for {text}.",
        )
        check_configuration(layer, arguments, built)

    def shapes() -> None:
        for policy in ("float32", "mixed_bfloat16"):
            with precision(policy):
                made = make()
                batch = keras.Input(inputs.shape[1:], dtype=inputs.dtype.name)
                foretold = keras.tree.flatten(made(batch))
                outputs = keras.tree.flatten(
                    keras.tree.map_structure(
                        keras.ops.convert_to_tensor, made(inputs)
                    )
                )
            for told, output in zip(foretold, outputs, strict=True):
                expected = (len(inputs), *told.shape[1:])
                dtype = keras.backend.standardize_dtype(output.dtype)
                require(
                    (tuple(output.shape), dtype) == (expected, told.dtype),
                    "the output must have the shape and dtype that Keras "
                    "foretells from `compute_output_shape` or `call`, "
                    f"{expected} {told.dtype} under {policy}. Received: "
                    f"{tuple(output.shape)} {dtype}.",
                )
        require(
            not differ(to_arrays(made(inputs)), to_arrays(made(inputs))),
            "outside of training the same input must give the same output.",
        )

    def file() -> None:
        model = make_model()
        shift_weights(model)
        check_copy(model, save_and_load(model), inputs, targets)

    def pickle() -> None:
        model = make_model()
        shift_weights(model)
        check_copy(model, pickled(model), inputs, targets)
        one = make()
        again = pickled(one)
        require(
            to_json(again.get_config()) == to_json(one.get_config()),
            f"a pickled layer must keep its configuration {one.get_config()}. "
            f"Received: {again.get_config()}.",
        )

    training = Training(
        make_model,
        lambda: (inputs, targets_of_training()),
        lambda: {"loss": make_loss()},
    )
    return {
        "arguments": lambda: check_arguments(layer, arguments),
        "refusals": lambda: check_refused(layer, arguments, bad),
        "configuration": configuration,
        "shapes": shapes,
        "file": file,
        "pickle": pickle,
        **training.clauses(),
        "docstring": lambda: check_docstring(
            layer, ("Input shape", "Output shape")
        ),
    }
