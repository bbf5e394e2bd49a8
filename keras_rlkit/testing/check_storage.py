"""The contract of storages of frames."""

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
from keras_rlkit.testing.resume_checks import through_json

FRAMES, WORDS, ENVIRONMENTS = 12, 16, 2
WORD = np.dtype("uint8")


def _frame(number: int) -> np.ndarray:
    """A frame of which no two are equal."""
    return (np.arange(WORDS) * 7 + number * 11).astype(WORD)


class _Play:
    """A storage as a buffer writes it: frames of two environments in turn."""

    def __init__(self, storage: Any):
        self.medium = storage.make(FRAMES, WORDS, WORD, ENVIRONMENTS)
        self.written = 0

    def write(self, count: int) -> None:
        """Write so many steps of both environments."""
        for _ in range(count):
            numbers = range(self.written, self.written + ENVIRONMENTS)
            self.medium.write(
                self.written,
                [(n % ENVIRONMENTS, _frame(n)) for n in numbers],
            )
            self.written += ENVIRONMENTS

    def check(self) -> None:
        """Check that all frames that are still there are read exactly."""
        oldest = max(0, self.medium.oldest(self.written))
        numbers = np.arange(oldest, self.written)
        read = self.medium.read(numbers % FRAMES)
        expected = np.array([_frame(number) for number in numbers])
        require(
            not differ(np.asarray(read).reshape(expected.shape), expected),
            f"frames {oldest} to {self.written - 1} must be read as they were "
            f"written, bit for bit. Received: {read!r}.",
        )
        zeros = self.medium.read(np.array([FRAMES]))
        require(
            not np.asarray(zeros).any(),
            f"the slot after the last one, {FRAMES}, must hold zeros.",
        )


def check_storage(
    storage: type,
    arguments: Arguments = None,
    bad: dict[str, list[Any]] | None = None,
    skip: dict[str, str] | None = None,
) -> None:
    """Check that a storage keeps the contract of the kit's storages.

    Clauses, in their order:

    - `arguments`, `refusals`: as in `check_layer`.
    - `configuration`: an equal storage is made of `get_config` through JSON.
    - `frames`: what is written is read again bit for bit, before and after old
      frames have made room; a slot of zeros is always there.
    - `resume`: a new one that takes over `arrays` and `counters` holds the
      same frames, and goes on.
    - `size`: `size_of` tells the bytes of memory and disk.
    - `docstring`: it has `Args` and an example.

    Args:
        storage: The class.
        arguments: Constructor's arguments, none of them its default, with
            room for twelve frames of 16 bytes.
        bad: Lists of values to refuse, by the argument's name.
        skip: Clauses that can't hold for this storage, each with the reason.

    Raises:
        AssertionError: If a clause is broken; the message names it.
        ValueError: If `skip` names no clause.

    Example:

    ```python
    rlk.testing.check_storage(
        rlk.replay.Disk, arguments={"folder": "."}, bad={"folder": ["gone"]}
    )
    ```
    """

    def make() -> _Play:
        return _Play(storage(**make_arguments(arguments)))

    def frames() -> None:
        play = make()
        for count in (1, 4, 1, 5, 7):
            play.write(count)
            play.check()

    def resume() -> None:
        first, second = make(), make()
        first.write(9)
        second.write(2)
        counters = through_json(first.medium.counters())
        second.medium.prepare(counters)
        arrays = second.medium.arrays()
        for name, array in first.medium.arrays().items():
            require(
                arrays[name].shape == array.shape,
                f"`prepare` must give the array `{name}` the shape that it "
                f"had, {array.shape}. Received: {arrays[name].shape}.",
            )
            arrays[name][...] = array
        second.medium.restored()
        second.written = first.written
        second.check()
        second.write(5)
        second.check()

    def size() -> None:
        made = storage(**make_arguments(arguments))
        sizes = made.size_of(FRAMES, WORDS, ENVIRONMENTS)
        for name in ("memory", "disk"):
            value = getattr(sizes, name, None)
            require(
                isinstance(value, int) and value >= 0,
                f"`size_of` must tell the bytes of {name}. Received: {sizes}.",
            )

    run_clauses(
        storage,
        {
            "arguments": lambda: check_arguments(storage, arguments),
            "refusals": lambda: check_refused(storage, arguments, bad),
            "configuration": lambda: check_plain_configuration(
                storage, arguments
            ),
            "frames": frames,
            "resume": resume,
            "size": size,
            "docstring": lambda: check_docstring(storage),
        },
        skip,
    )
