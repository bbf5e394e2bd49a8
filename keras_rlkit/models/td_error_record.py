"""Carries TD errors out of a compiled training step."""

import dataclasses
from typing import Any

import keras
import numpy as np

# Numbers of transitions are kept modulo 2**31: they fit into 32 bits then,
# which is all that JAX has by default, and which buffers can make whole again.
INDEX_MASK = 2**31 - 1


@dataclasses.dataclass
class _Kept:
    """The variables. Not a tuple, which Keras would look into and track."""

    index: keras.Variable
    td_error: keras.Variable
    count: keras.Variable


class TDErrorRecord(keras.metrics.Metric):
    """Remembers which transitions were trained on, with which TD errors.

    A metric, since Keras carries the variables of metrics through the training
    step on every backend, counts them neither as weights nor as parameters,
    and doesn't save them. It adds nothing to the logs, and resetting metrics
    loses nothing: only `take` empties it. Until `resize` it has no variables
    and costs nothing.

    Args:
        name: Name of the metric.
    """

    def __init__(self, name: str = "td_error_record"):
        super().__init__(name=name)
        self._kept: _Kept | None = None

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables in which the training step writes."""
        if self._kept is None:
            return []
        return [self._kept.index, self._kept.td_error, self._kept.count]

    @property
    def size(self) -> int:
        """How many transitions it can hold."""
        return 0 if self._kept is None else self._kept.index.shape[0]

    def resize(self, size: int) -> None:
        """Make room, and forget what is kept.

        Args:
            size: Positive integer, transitions to hold.
        """

        def zeros(shape: tuple[int, ...], dtype: str) -> keras.Variable:
            return keras.Variable(
                np.zeros(shape, dtype), dtype=dtype, trainable=False
            )

        self._kept = _Kept(
            zeros((size,), "int32"),
            zeros((size,), "float32"),
            zeros((), "int32"),
        )

    def update_state(self, index: Any, td_error: Any) -> None:
        """Append a batch, within the training step.

        Args:
            index: Transition numbers, integers [B].
            td_error: Their TD errors, floats [B].

        Raises:
            ValueError: If the batch alone is larger than the record.
        """
        if self._kept is None:
            return
        batch_size = index.shape[0]
        if batch_size is not None and batch_size > self.size:
            raise ValueError(
                "A batch must fit into the record of TD errors, which holds "
                f"{self.size}. Received: a batch of {batch_size} transitions. "
                "Make batches with `ReplayBuffer.dataset` or `batches`, or "
                "call `keep_td_errors` of the model with a larger `count`."
            )
        kept, ops = self._kept, keras.ops
        index = ops.cast(ops.bitwise_and(index, INDEX_MASK), "int32")
        rows = kept.count + ops.arange(ops.shape(index)[0], dtype="int32")
        # A record that nobody empties goes round and round.
        rows = ops.expand_dims(ops.mod(rows, self.size), -1)
        td_error = ops.cast(ops.stop_gradient(td_error), "float32")
        kept.index.assign(ops.scatter_update(kept.index, rows, index))
        kept.td_error.assign(ops.scatter_update(kept.td_error, rows, td_error))
        kept.count.assign(kept.count + ops.shape(index)[0])

    def take(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what was appended since the last call, and forget it.

        Returns:
            A tuple `(index, td_error)`, in the order of training: numbers
            modulo 2**31, int64 [M]; float32 [M].

        Raises:
            ValueError: If more was appended than the record holds.
        """
        if self._kept is None:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        index, td_error, count = map(keras.ops.convert_to_numpy, self.variables)
        count = int(count)
        if count > self.size:
            raise ValueError(
                "TD errors must be taken before the record of them is full. "
                f"Received: {count} TD errors in a record of {self.size}. Call "
                "`take_td_errors` of the model after every execution of the "
                "training step, or `keep_td_errors` with a larger `count`."
            )
        self.clear()
        # Copies: backends may write into the same memory later.
        return index[:count].astype(np.int64), td_error[:count].copy()

    def clear(self) -> None:
        """Forget what was appended."""
        self._kept.count.assign(0)

    def reset_state(self) -> None:
        """Keep everything: `take` resets."""

    def result(self) -> dict[str, Any]:
        """Return nothing for the logs."""
        return {}
