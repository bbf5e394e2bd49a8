"""The contract of policies."""

import copy
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.testing.clauses import require, run_clauses
from keras_rlkit.testing.comparisons import differ
from keras_rlkit.testing.configuration_checks import (
    Arguments,
    check_arguments,
    check_refused,
    make_arguments,
)
from keras_rlkit.testing.docstring_checks import check_docstring
from keras_rlkit.testing.resume_checks import check_state
from keras_rlkit.testing.saving_checks import pickled
from keras_rlkit.testing.training_checks import precision

OUTPUTS = 4


class _FixedOutput:
    """Stands in for a model: one output for any observations."""

    def __init__(self, output: np.ndarray):
        self.output = output

    def predict_on_batch(self, observations: np.ndarray) -> np.ndarray:
        return np.repeat(self.output[np.newaxis], len(observations), axis=0)


def check_policy(
    policy: type,
    arguments: Arguments = None,
    observations: np.ndarray | None = None,
    bad: dict[str, list[Any]] | None = None,
    make_network: Callable[[], keras.Model] | None = None,
    skip: dict[str, str] | None = None,
) -> None:
    """Check that a policy keeps the contract of the kit's policies.

    A policy is called as `policy(model, observations, step)`, and where there
    is a mask of allowed actions with that behind them. Clauses, in their order:

    - `arguments`, `refusals`: as in `check_layer`. A `seed` need not be kept:
      the state of the generator tells more.
    - `actions`: for N observations there are N actions, in integers of the
      actions there are or, where the class says `actions = "continuous"`, in
      finite floats [N, D], or where it says `"binary"`, in zeros and ones
      [N, D]. Observations are left alone.
    - `forbidden`: an action for which the model gives -inf, or that the mask
      forbids, is never taken; a mask of ones changes nothing.
    - `diverged`: NaN from the model is refused, not acted on.
    - `mixed_bfloat16`: it acts with a model in that precision.
    - `pickle`: a copy plays on as the original.
    - `resume`: so does another policy that takes over its state, through
      `get_state` and `set_state`.
    - `docstring`: it has `Args` and an example, and `__call__` one of its own.

    Args:
        policy: The class.
        arguments: Constructor's arguments, none of them its default.
        observations: Array [N, ...] for a model of four outputs: scores of
            four actions, four bits, or two means and two log-scales. Defaults
            to normal numbers [32, 3].
        bad: Lists of values to refuse, by the argument's name.
        make_network: Function that returns a new model for the observations,
            for policies that need other outputs.
        skip: Clauses that can't hold for this policy, each with the reason.

    Raises:
        AssertionError: If a clause is broken; the message names it.
        ValueError: If `skip` names no clause.

    Example:

    ```python
    rlk.testing.check_policy(
        rlk.policies.EpsilonGreedy,
        arguments={"epsilon": 0.5, "seed": 3},
        bad={"epsilon": [-0.1, 2.0]},
    )
    ```
    """
    if observations is None:
        numbers = np.random.default_rng(0).normal(size=(32, 3))
        observations = numbers.astype("float32")
    count = len(observations)
    kind = getattr(policy, "actions", "discrete")
    continuous, binary = kind == "continuous", kind == "binary"

    def make(**changes: Any) -> Any:
        return policy(**{**make_arguments(arguments), **changes})

    def make_model() -> keras.Model:
        keras.utils.set_random_seed(0)
        if make_network is not None:
            return make_network()
        return keras.Sequential(
            [
                keras.Input(observations.shape[1:]),
                keras.layers.Flatten(),
                keras.layers.Dense(OUTPUTS),
            ]
        )

    def check_actions(acted: Any, rows: int) -> None:
        array = np.asarray(acted)
        if continuous:
            fits = array.ndim == 2 and array.dtype.kind == "f"
            fits = fits and len(array) == rows and np.isfinite(array).all()
            form = f"finite floats [{rows}, D]"
        elif binary:
            fits = array.shape == (rows, OUTPUTS)
            fits = fits and np.isin(array, (0, 1)).all()
            form = f"zeros and ones [{rows}, {OUTPUTS}]"
        else:
            fits = array.shape == (rows,) and array.dtype.kind in "iu"
            fits = fits and ((array >= 0) & (array < OUTPUTS)).all()
            form = f"integers [{rows}] from 0 to {OUTPUTS - 1}"
        require(
            isinstance(acted, np.ndarray) and fits,
            f"actions must be a NumPy array of {form}. Received: {acted!r}.",
        )

    def actions() -> None:
        model = make_model()
        before = observations.copy()
        made = make()
        for step, rows in enumerate((count, 1)):
            check_actions(made(model, observations[:rows], step), rows)
        require(
            not differ(before, observations),
            "observations must be left as they are.",
        )

    def forbidden() -> None:
        if continuous:
            return
        model = make_model()
        free = make()(model, observations, 0)
        size = 2 * OUTPUTS if binary else OUTPUTS
        ones = np.ones((count, size), bool)
        if "seed" in make_arguments(arguments):
            again = make()(model, observations, 0, ones)
            require(
                not differ(free, again), "a mask of ones must change nothing."
            )
        if binary:
            mask = np.tile([[True, False], [False, True]], (count, 2, 1))
            mask = mask.reshape(count, size)
            acted = make()(model, observations, 0, mask)
            require(
                np.all(acted == [0, 1, 0, 1]),
                "bits that the mask forces must be what it says. "
                f"Received: {acted}.",
            )
            return
        for allowed in range(OUTPUTS):
            mask = np.zeros((count, OUTPUTS), bool)
            mask[:, allowed] = True
            acted = make()(model, observations, 0, mask)
            require(
                np.all(acted == allowed),
                f"only action {allowed} is allowed by the mask. "
                f"Received: {acted}.",
            )
            scores = np.full(OUTPUTS, -np.inf, "float32")
            scores[allowed] = -3.0
            acted = make()(_FixedOutput(scores), observations, 0)
            require(
                np.all(acted == allowed),
                f"only action {allowed} is allowed, all others have -inf. "
                f"Received: {acted}.",
            )

    def diverged() -> None:
        model = _FixedOutput(np.full(OUTPUTS, np.nan, "float32"))
        try:
            acted = make()(model, observations, 0)
        except ValueError:
            return
        raise AssertionError(
            "NaN from the model must raise a `ValueError`. "
            f"Received: actions {acted}."
        )

    def mixed_bfloat16() -> None:
        with precision("mixed_bfloat16"):
            model = make_model()
        acted = make()(model, observations, 0)
        if make_network is None:
            check_actions(acted, count)

    def pickle() -> None:
        model = make_model()
        original = make()
        original(model, observations, 0)
        copies = pickled(original), copy.deepcopy(original)
        expected = original(model, observations, 1)
        for again in copies:
            require(
                not differ(again(model, observations, 1), expected),
                "a pickled or copied policy must play on as the original.",
            )

    def resume() -> None:
        model = make_model()
        seeded = "seed" in make_arguments(arguments)
        seeds = iter([1, 2])
        check_state(
            lambda: make(**({"seed": next(seeds)} if seeded else {})),
            lambda made: made(model, observations, 5),
        )

    def docstring() -> None:
        check_docstring(policy)
        require(
            policy.__call__.__doc__,
            "`__call__` must say which output of the model it takes.",
        )

    run_clauses(
        policy,
        {
            "arguments": lambda: check_arguments(policy, arguments, ("seed",)),
            "refusals": lambda: check_refused(policy, arguments, bad),
            "actions": actions,
            "forbidden": forbidden,
            "diverged": diverged,
            "mixed_bfloat16": mixed_bfloat16,
            "pickle": pickle,
            "resume": resume,
            "docstring": docstring,
        },
        skip,
    )
