"""The contract of samplers of a replay buffer."""

from typing import Any

import numpy as np

from keras_rlkit.testing.clauses import require, run_clauses
from keras_rlkit.testing.comparisons import differ
from keras_rlkit.testing.configuration_checks import (
    Arguments,
    check_arguments,
    check_plain_configuration,
    check_refused,
    make_arguments,
)
from keras_rlkit.testing.docstring_checks import check_docstring
from keras_rlkit.testing.resume_checks import check_state
from keras_rlkit.testing.saving_checks import pickled

CAPACITY = 20
BATCH = 8


class _Play:
    """A buffer's view of a sampler: what is stored moves on at each draw."""

    def __init__(self, sampler: Any, seed: int):
        self.sampler = sampler
        self.generator = np.random.default_rng(seed)
        self.end = 0
        sampler.start(CAPACITY)

    @property
    def stored(self) -> tuple[int, int]:
        oldest = max(0, self.end - CAPACITY)
        return oldest, self.end - oldest

    def draw(self, batch_size: int = BATCH) -> tuple[np.ndarray, Any]:
        """Store three more, draw, and tell errors where they count."""
        self.end += 3
        index, weight = self.sampler.draw(
            self.generator, *self.stored, batch_size
        )
        if self.sampler.weighs:
            errors = self.generator.normal(size=len(index))
            self.sampler.update(index, errors, *self.stored)
        return index, weight


def check_sampler(
    sampler: type,
    arguments: Arguments = None,
    bad: dict[str, list[Any]] | None = None,
    skip: dict[str, str] | None = None,
) -> None:
    """Check that a sampler keeps the contract of the kit's samplers.

    Clauses, in their order:

    - `arguments`, `refusals`: as in `check_layer`.
    - `configuration`: an equal sampler is made of `get_config` through JSON.
    - `draws`: B numbers, int64, of transitions that are stored, and weights,
      float32 in (0, 1], where `weighs` says so; also after old transitions
      have made room. `size_of` is a number of bytes.
    - `generator`: the generator alone decides, and every stored transition
      can be drawn.
    - `pickle`: a copy draws on as the original.
    - `resume`: so does a new sampler that takes over `arrays` and `counters`.
    - `docstring`: it has `Args` and an example.

    Args:
        sampler: The class.
        arguments: Constructor's arguments, none of them its default.
        bad: Lists of values to refuse, by the argument's name.
        skip: Clauses that can't hold for this sampler, each with the reason.

    Raises:
        AssertionError: If a clause is broken; the message names it.
        ValueError: If `skip` names no clause.

    Example:

    ```python
    rlk.testing.check_sampler(
        rlk.replay.Prioritized,
        arguments={"alpha": 0.5, "beta": 1.0, "epsilon": 0.1},
        bad={"alpha": [2.0]},
    )
    ```
    """

    def make(seed: int = 0) -> _Play:
        return _Play(sampler(**make_arguments(arguments)), seed)

    def draws() -> None:
        play = make()
        for _ in range(CAPACITY):
            index, weight = play.draw()
            oldest, size = play.stored
            require(
                index.dtype == np.int64
                and index.shape == (BATCH,)
                and (index >= oldest).all()
                and (index < oldest + size).all(),
                f"draws must be int64 [{BATCH}] in [{oldest}, "
                f"{oldest + size}). Received: {index!r}.",
            )
            require(
                (weight is not None) == play.sampler.weighs,
                "draws must come with weights where `weighs` is true, and only "
                f"there. Received: {weight!r} with weighs="
                f"{play.sampler.weighs}.",
            )
            require(
                weight is None
                or (weight.dtype == np.float32 and weight.shape == (BATCH,))
                and ((weight > 0) & (weight <= 1)).all(),
                f"weights must be float32 [{BATCH}] in (0, 1]. "
                f"Received: {weight!r}.",
            )
        size = play.sampler.size_of(CAPACITY)
        require(
            isinstance(size, int) and size >= 0,
            f"`size_of` must give a number of bytes. Received: {size!r}.",
        )

    def play_on(play: _Play) -> list[tuple[np.ndarray, Any]]:
        # Not in step with whatever a sampler may count by.
        return [play.draw() for _ in range(7)]

    def generator() -> None:
        require(
            not differ(play_on(make()), play_on(make())),
            "the generator that `draw` is given must alone decide.",
        )
        require(
            differ(make(1).draw(50), make(2).draw(50)),
            "another generator must draw other transitions.",
        )
        play = make()
        for _ in range(CAPACITY):
            play.draw(1)
        oldest, size = play.stored
        index, _ = play.sampler.draw(play.generator, oldest, size, 5_000)
        missing = set(range(oldest, oldest + size)) - set(index.tolist())
        require(
            not missing,
            f"every stored transition must have a chance. Of {size}, in 5,000 "
            f"draws these never came: {sorted(missing)}.",
        )

    def pickle() -> None:
        original = make()
        play_on(original)
        again = make()
        again.sampler = pickled(original.sampler)
        again.end = original.end
        again.generator.bit_generator.state = (
            original.generator.bit_generator.state
        )
        require(
            not differ(play_on(original), play_on(again)),
            "a pickled sampler must draw on as the original.",
        )

    def get(play: _Play) -> dict[str, Any]:
        return {
            "arrays": {n: a.copy() for n, a in play.sampler.arrays().items()},
            "counters": play.sampler.counters(),
            "end": play.end,
            "generator": play.generator.bit_generator.state,
        }

    def put(play: _Play, state: dict[str, Any]) -> None:
        play.sampler.restore(state["arrays"], state["counters"])
        play.end = state["end"]
        play.generator.bit_generator.state = state["generator"]

    seeds = iter([1, 2])
    run_clauses(
        sampler,
        {
            "arguments": lambda: check_arguments(sampler, arguments),
            "refusals": lambda: check_refused(sampler, arguments, bad),
            "configuration": lambda: check_plain_configuration(
                sampler, arguments
            ),
            "draws": draws,
            "generator": generator,
            "pickle": pickle,
            "resume": lambda: check_state(
                lambda: make(next(seeds)), play_on, get, put
            ),
            "docstring": lambda: check_docstring(sampler),
        },
        skip,
    )
