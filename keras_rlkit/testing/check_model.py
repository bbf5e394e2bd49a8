"""The contract of agents: models that own a training step."""

from collections.abc import Callable
from typing import Any

import keras

from keras_rlkit.testing.clauses import require, run_clauses
from keras_rlkit.testing.comparisons import differ, to_json
from keras_rlkit.testing.configuration_checks import (
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
from keras_rlkit.testing.training_checks import Training


def check_model(
    model: type[keras.Model],
    data: tuple[Any, ...],
    arguments: Callable[[], dict[str, Any]],
    compile: Callable[[], dict[str, Any]] = dict,
    bad: dict[str, list[Any]] | None = None,
    skip: dict[str, str] | None = None,
) -> None:
    """Check that an agent keeps the contract of the kit's models.

    Clauses, in their order:

    - `arguments`, `refusals`, `configuration`: as in `check_layer`.
    - `file`, `pickle`: it comes back in safe mode, with all weights and the
      same output.
    - `jit_compile`, `steps_per_execution`, `mixed_bfloat16`, `mixed_float16`:
      as in `check_layer`; the networks are made under that precision.
    - `resume`: saved, loaded and trained on, it ends with the weights of a
      training without a break.
    - `docstring`: it has `Args`, `Input shape`, `Output shape` and an example.

    Args:
        model: The class.
        data: Arguments `x`, `y` and maybe `sample_weight` of `fit`: arrays of
            B rows, or dictionaries of them, with B a multiple of 4.
        arguments: Function that makes the constructor's arguments, none of
            them its default, with new networks each time.
        compile: Function that makes arguments of `compile` beside the
            optimizer, such as `loss`.
        bad: Lists of values to refuse, by the argument's name.
        skip: Clauses that can't hold for this model, each with the reason.

    Raises:
        AssertionError: If a clause is broken; the message names it.
        ValueError: If `skip` names no clause.

    Example:

    ```python
    def make_arguments():
        network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        return {
            "q_network": network,
            "target_update_rate": 1.0,
            "target_update_period": 2,
            "double": False,
        }

    observation = np.random.default_rng(0).normal(size=(4, 3))
    transition = {
        "action": np.array([0, 1, 0, 1]),
        "reward": np.ones(4),
        "discount": np.full(4, 0.9),
        "next_observation": observation + 1,
    }
    rlk.testing.check_model(
        rlk.models.DoubleDQN,
        data=(observation, transition),
        arguments=make_arguments,
        compile=lambda: {"loss": "huber"},
    )
    ```
    """

    def make() -> keras.Model:
        return model(**make_arguments(arguments))

    training = Training(make, lambda: data, compile)

    def copied(way: Callable[[keras.Model], keras.Model]) -> None:
        original = training.compiled()
        shift_weights(original)
        again = way(original)
        require(
            type(again) is model
            and to_json(again.get_config()) == to_json(original.get_config()),
            f"the model must come back with {original.get_config()}. "
            f"Received: {again}.",
        )
        check_copy(original, again, data[0])

    def resume() -> None:
        straight = training.compiled()
        expected = training.fit(straight, epochs=2)
        interrupted = training.compiled()
        training.fit(interrupted)
        received = training.fit(save_and_load(interrupted))
        require(
            not differ(expected, received),
            "a model that was saved and loaded must train on as without a "
            "break: something that the training step needs is not saved.",
        )

    run_clauses(
        model,
        {
            "arguments": lambda: check_arguments(model, arguments),
            "refusals": lambda: check_refused(model, arguments, bad),
            "configuration": lambda: check_configuration(model, arguments),
            "file": lambda: copied(save_and_load),
            "pickle": lambda: copied(pickled),
            **training.clauses(),
            "resume": resume,
            "docstring": lambda: check_docstring(
                model, ("Input shape", "Output shape")
            ),
        },
        skip,
    )
