"""The contract of buffers."""

from collections.abc import Callable
from typing import Any

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


def check_buffer(
    buffer: type,
    arguments: Arguments,
    draw: Callable[[Any], Any],
    bad: dict[str, list[Any]] | None = None,
    skip: dict[str, str] | None = None,
    excluded: tuple[str, ...] = (),
) -> None:
    """Check that a buffer keeps the contract of the kit's buffers.

    Clauses, in their order:

    - `arguments`, `refusals`: as in `check_layer`. A `seed` need not be kept.
    - `steps`: it takes steps of all environments through `add`, counts them by
      `len`, leaves out those that aren't valid, and refuses a step whose
      arrays have the wrong length or hold NaN, keeping what it has.
    - `seed`: equal seeds draw equal data, others don't.
    - `resume`: another buffer that takes over its state draws on as it does.
    - `docstring`: it has `Args` and an example.

    Args:
        buffer: The class.
        arguments: Constructor's arguments, none of them its default; of
            `observation_shape`, `num_envs`, `num_actions`, `action_shape`,
            `action_masks` and `state_shape` steps are made, whose masks allow
            everything.
        draw: Function of a filled buffer that returns what it gives, as arrays,
            in an order that its seed decides.
        bad: Lists of values to refuse, by the argument's name.
        skip: Clauses that can't hold for this buffer, each with the reason.
        excluded: Arguments that exclude one of those given, and so need not
            be tried: a second check with them tries them.

    Raises:
        AssertionError: If a clause is broken; the message names it.
        ValueError: If `skip` names no clause.

    Example:

    ```python
    rlk.testing.check_buffer(
        rlk.replay.ReplayBuffer,
        arguments=lambda: {
            "capacity": 50,
            "observation_shape": (2, 3),
            "observation_dtype": "float32",
            "num_envs": 2,
            "frame_stack": 3,
            "n_step": 2,
            "discount": 0.9,
            "sampler": rlk.replay.Prioritized(),
            "seed": 1,
            "num_actions": 3,
            "storage": rlk.replay.Disk(),
            "action_masks": True,
        },
        draw=lambda replay: replay.sample(8),
        bad={"capacity": [0], "discount": [2.0]},
        excluded=("sequence_length", "burn_in", "state_shape"),
    )
    ```
    """

    def make(seed: int = 0) -> Any:
        return buffer(**{**make_arguments(arguments), "seed": seed})

    def step(number: int) -> dict[str, np.ndarray]:
        given = make_arguments(arguments)
        count = given["num_envs"]
        generator = np.random.default_rng(number)
        shape = (count, *given["observation_shape"])
        size = (count, *given.get("action_shape", ()))
        sizes = given.get("num_actions")
        if sizes is None:
            action = generator.normal(size=size).astype("float32")
        else:
            action = generator.integers(sizes, size=size)
        beside: dict[str, Any] = {}
        states = given.get("state_shape", ())
        if states:
            beside = {
                name: tuple(
                    generator.normal(size=(count, *state)).astype("float32")
                    for state in states
                )
                for name in ("state", "next_state")
            }
        if given.get("action_masks"):
            total = int(np.sum(np.broadcast_to(sizes, size[1:])))
            everything = np.ones((count, total), bool)
            beside["action_mask"] = beside["next_action_mask"] = everything
        return {
            **beside,
            "observation": generator.normal(size=shape).astype("float32"),
            "action": action,
            "reward": generator.normal(size=count),
            "terminated": np.full(count, number % 5 == 4),
            "truncated": np.full(count, number % 7 == 6),
            "next_observation": generator.normal(size=shape).astype("float32"),
        }

    def fill(made: Any) -> Any:
        for number in range(20):
            made.add(**step(number))
        return made

    def steps() -> None:
        made = fill(make())
        count = make_arguments(arguments)["num_envs"]
        require(
            0 < len(made) <= 20 * count,
            f"after 20 steps of {count} environments `len` must be at most "
            f"{20 * count}. Received: {len(made)}.",
        )
        before = len(made)
        made.add(**step(20), valid=np.zeros(count, bool))
        require(
            len(made) <= before,
            "rows that are not valid must not be stored. "
            f"Received: {len(made)} transitions after {before}.",
        )
        before = len(made)
        short = {**step(21), "reward": np.zeros(count - 1)}
        nan = {**step(21), "reward": np.full(count, np.nan)}
        for wrong, what in ((short, "a row too few"), (nan, "NaN rewards")):
            try:
                made.add(**wrong)
            except ValueError:
                require(len(made) == before, f"{what} must store nothing.")
            else:
                raise AssertionError(f"{what} must raise a `ValueError`.")

    def seed() -> None:
        one, same, other = (draw(fill(make(number))) for number in (1, 1, 2))
        require(not differ(one, same), "equal seeds must draw equal data.")
        require(differ(one, other), "other seeds must draw other data.")

    def play(made: Any) -> Any:
        return draw(fill(made))

    seeds = iter([1, 2])
    run_clauses(
        buffer,
        {
            "arguments": lambda: check_arguments(
                buffer, arguments, ("seed",), excluded
            ),
            "refusals": lambda: check_refused(buffer, arguments, bad),
            "steps": steps,
            "seed": seed,
            "resume": lambda: check_state(lambda: make(next(seeds)), play),
            "docstring": lambda: check_docstring(buffer),
        },
        skip,
    )
