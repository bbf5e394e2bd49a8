"""Which stored transitions follow each other, in sequences of one length."""

from typing import NamedTuple

import numpy as np


class Neighbours(NamedTuple):
    """Transitions around some of those stored, none of another trajectory.

    Attributes:
        number: Integers [B, b + T], numbers of transitions. Where there is
            none, the nearest of the sequence stands in its place.
        burn_in: Booleans [B, b], whether a step before is there; `None` where
            b is 0.
        mask: Booleans [B, T], whether a step is there.
    """

    number: np.ndarray
    burn_in: np.ndarray | None
    mask: np.ndarray


class StepLinks:
    """Of each transition of one step, which one came before and after it.

    Args:
        capacity: Transitions that are kept.
        num_envs: Number of environments N.
        length: Steps T of a sequence.
        burn_in: Steps b before it.
    """

    def __init__(self, capacity: int, num_envs: int, length: int, burn_in: int):
        self.length = length
        self.burn_in = burn_in
        self._previous = np.full(capacity, -1, np.int64)
        self._following = np.full(capacity, -1, np.int64)
        # Each environment's newest transition.
        self._newest = np.full(num_envs, -1, np.int64)

    @staticmethod
    def size_of(capacity: int) -> int:
        """Return the bytes of the links of so many transitions."""
        return capacity * 2 * 8

    def add(
        self, environment: np.ndarray, number: np.ndarray, continues: np.ndarray
    ) -> None:
        """Link transitions that were appended.

        Args:
            environment: Integers [M], each at most once.
            number: Their transitions' numbers [M].
            continues: Booleans [N], where the environment's trajectory goes on
                from its transition before.
        """
        capacity = len(self._previous)
        before = np.where(continues[environment], self._newest[environment], -1)
        # Its row may be another's by now.
        before[before <= number.max(initial=-1) - capacity] = -1
        linked = before >= 0
        self._previous[number % capacity] = before
        self._following[number % capacity] = -1
        self._following[before[linked] % capacity] = number[linked]
        self._newest[environment] = number

    def around(self, number: np.ndarray, oldest: int) -> Neighbours:
        """Return the sequences that begin with some transitions.

        Args:
            number: Numbers [B] of the transitions that sequences begin with.
            oldest: Number of the oldest transition stored.
        """
        before, burn_in = self._walk(
            self._previous, number, self.burn_in, oldest
        )
        after, mask = self._walk(
            self._following, number, self.length - 1, oldest
        )
        return Neighbours(
            np.stack([*before[::-1], number, *after], axis=1),
            np.stack(burn_in[::-1], axis=1) if burn_in else None,
            np.stack([np.ones(len(number), bool), *mask], axis=1),
        )

    def _walk(
        self, links: np.ndarray, number: np.ndarray, steps: int, oldest: int
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Follow links, and stay where they end."""
        numbers, there = [], []
        known = np.ones(len(number), bool)
        for _ in range(steps):
            link = links[number % len(links)]
            known = known & (link >= oldest)
            number = np.where(known, link, number)
            numbers.append(number)
            there.append(known)
        return numbers, there

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array by name, for saving."""
        return {
            "previous": self._previous,
            "following": self._following,
            "newest": self._newest,
        }
