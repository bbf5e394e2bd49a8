"""Memory for byte strings that come and go in the same order."""

import collections

import numpy as np

from keras_rlkit.replay.storage.machine_limits import available_memory

# What growing leaves to the rest of the machine.
RESERVE_BYTES = 2**28


class ByteSegments:
    """A queue of byte strings, one behind the other in equal segments.

    Grows by a segment when all are full, and fills segments again whose
    strings were all released.

    Args:
        segment_bytes: Size of a segment and of the longest string.
        limit: Bytes that all segments may take, or `None` for as many as the
            machine has. One segment is always there.
    """

    def __init__(self, segment_bytes: int, limit: int | None):
        self.segment_bytes = segment_bytes
        self._limit = limit
        self.segments: list[np.ndarray] = []
        self._grow()
        # In the order of filling; the last one is being filled.
        self._used = collections.deque([0])
        self._free: list[int] = []
        self._filled = 0

    def append(self, content: bytes) -> int | None:
        """Store a string; return its address, or `None` if there's no room."""
        if self._filled + len(content) > self.segment_bytes:
            if not self._begin_segment():
                return None
        segment, start = self._used[-1], self._filled
        self._filled += len(content)
        self.segments[segment][start : self._filled] = np.frombuffer(
            content, np.uint8
        )
        return segment * self.segment_bytes + start

    def read(self, address: int, length: int) -> np.ndarray:
        """Return the bytes of a stored string."""
        segment, start = divmod(address, self.segment_bytes)
        return self.segments[segment][start : start + length]

    def release(self, oldest: int | None) -> None:
        """Let go of every string that was appended before one of them.

        Args:
            oldest: Address of the oldest string still needed, or `None` if
                none is.
        """
        if oldest is None:
            self._free.extend(self._used)
            self._used = collections.deque([self._free.pop()])
            self._filled = 0
            return
        while self._used[0] != oldest // self.segment_bytes:
            self._free.append(self._used.popleft())

    def _begin_segment(self) -> bool:
        if not self._free:
            size = self.segment_bytes
            claimed = (len(self.segments) + 1) * size
            if self._limit is not None and claimed > self._limit:
                return False
            if available_memory() < size + RESERVE_BYTES:
                return False
            self._free.append(self._grow())
        self._used.append(self._free.pop())
        self._filled = 0
        return True

    def _grow(self) -> int:
        self.segments.append(np.zeros(self.segment_bytes, np.uint8))
        return len(self.segments) - 1

    def counters(self) -> dict[str, list[int] | int]:
        """Return what has to be saved beside the segments."""
        return {
            "used": list(self._used),
            "free": self._free,
            "filled": self._filled,
        }

    def prepare(self, counters: dict[str, list[int] | int]) -> None:
        """Have the segments that there were with these counters.

        Args:
            counters: What `counters` returned.

        Raises:
            ValueError: If no such queue can have returned it.
            MemoryError: If the machine can't hold as many segments.
        """
        used, free = counters["used"], counters["free"]
        count, filled = len(used) + len(free), counters["filled"]
        known = sorted([*used, *free]) == list(range(count))
        if not used or not known or not 0 <= filled <= self.segment_bytes:
            raise ValueError(
                "The segments of a compressed buffer must each be used or "
                f"free. Received: {counters}."
            )
        missing = max(0, count - len(self.segments)) * self.segment_bytes
        if missing > available_memory():
            raise MemoryError(
                "The machine has too little memory for the compressed "
                f"frames. Received: {count} segments of "
                f"{self.segment_bytes:,} bytes."
            )
        while len(self.segments) < count:
            self._grow()
        del self.segments[count:]
        self._used, self._free = collections.deque(used), list(free)
        self._filled = filled
