"""Where the time of an epoch goes."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

PARTS = ("environment", "acting", "storing", "sampling")


class TimeSplit:
    """Adds up seconds by what they were spent on.

    What belongs to no part is training: Keras waits for the gradient steps of
    an execution before it calls its callbacks.

    Example:

    ```python
    from keras_rlkit.callbacks.time_split import TimeSplit

    split = TimeSplit()
    split.begin()
    with split.part("acting"):
        action = network.predict_on_batch(observation)
    split.shares()["time_acting"]  # 1.0, or a little less
    ```
    """

    def __init__(self):
        self.begin()

    def begin(self) -> None:
        """Forget everything, and begin anew."""
        self._began = perf_counter()
        self._seconds = dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time within a `with` block as one of `PARTS`."""
        began = perf_counter()
        yield
        self.add(name, perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        """Count some seconds as one of `PARTS`."""
        self._seconds[name] += seconds

    def shares(self) -> dict[str, float]:
        """Return the share of each part, in [0, 1], and of training."""
        whole = perf_counter() - self._began
        shares = {
            f"time_{name}": seconds / whole if whole else 0.0
            for name, seconds in self._seconds.items()
        }
        return {**shares, "time_training": 1.0 - sum(shares.values())}
