"""Sums over many numbers, kept up to date and searched in batches."""

import numpy as np

# Children of a node, and nodes of the top level, which is searched by
# bisection: with these, a batch of 32 takes the fewest passes and copies.
FAN = 16
TOP = 4_096


class SumTree:
    """Keeps the sums of non-negative numbers, the tree's leaves.

    Changing k leaves and finding k of them takes O(k log n) in a handful of
    NumPy calls. Each sum is computed anew from its children, never by adding
    differences: nothing drifts, and the sums depend on the leaves alone.

    Args:
        capacity: Number of leaves.
    """

    def __init__(self, capacity: int):
        self.capacity = capacity
        self._levels = [
            np.zeros((rows, FAN)) for rows in _rows_of_levels(capacity)
        ]
        self._top = np.zeros(len(self._levels[-1]))

    @staticmethod
    def size_of(capacity: int) -> int:
        """Return the bytes that a tree of `capacity` leaves takes."""
        rows = _rows_of_levels(capacity)
        return 8 * (FAN * sum(rows) + rows[-1])

    @property
    def leaves(self) -> np.ndarray:
        """All leaves, float64 [capacity]. Not to be written into."""
        return self._levels[0].reshape(-1)[: self.capacity]

    def total(self) -> float:
        """Return the sum of all leaves."""
        return float(np.cumsum(self._top)[-1])

    def update(self, leaf: np.ndarray, value: np.ndarray | float) -> None:
        """Set leaves to new values.

        Args:
            leaf: Integers [K] in [0, capacity). Of one that comes more than
                once, the last value stays.
            value: Non-negative finite numbers [K], or one for all.
        """
        self._levels[0].reshape(-1)[leaf] = value
        sums = [level.reshape(-1) for level in self._levels[1:]] + [self._top]
        for level, above in zip(self._levels, sums, strict=True):
            leaf = leaf // FAN
            if len(leaf) > TOP:
                leaf = np.unique(leaf)
            children = level.take(leaf, axis=0, mode="clip")
            # The last of the running sums, for `find` to meet the same bits.
            above[leaf] = children.cumsum(axis=1)[:, -1]

    def find(self, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the leaves at which running sums exceed some values.

        The leaf of a value v is the first one for which the sum of all leaves
        up to it is more than v: a uniform v in [0, total) finds each leaf with
        a probability that is proportional to it. A leaf of 0 is never found,
        whatever the rounding.

        Args:
            value: Floats [K] in [0, total].

        Returns:
            A tuple `(leaf, leaf_value)`: int64 [K], float64 [K].
        """
        running = self._top.cumsum()
        value = np.minimum(value, np.nextafter(running[-1], 0.0))
        node = running.searchsorted(value, side="right")
        found = self._top[node]
        value = value - (running[node] - found)
        for level in reversed(self._levels):
            # Rounding may have left a value just outside of its node.
            value = np.minimum(value, np.nextafter(found, 0.0))
            value = np.maximum(value, 0.0)
            children = level.take(node, axis=0, mode="clip")
            running = children.cumsum(axis=1)
            child = (running <= value[:, None]).sum(axis=1)
            place = np.arange(0, running.size, FAN) + child
            found = children.reshape(-1)[place]
            value = value - (running.reshape(-1)[place] - found)
            node = node * FAN + child
        return node, found


def _rows_of_levels(capacity: int) -> list[int]:
    rows = [-(-capacity // FAN)]
    while rows[-1] > TOP:
        rows.append(-(-rows[-1] // FAN))
    return rows
