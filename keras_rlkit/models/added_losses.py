"""Regularisers and `add_loss` of one forward pass among several."""

import contextlib
from collections.abc import Iterator


class AddedLosses:
    """Losses that stand in for a model's own, which a later pass replaces.

    Keras doesn't look into it, as it would into a list.
    """

    fixed: list | None = None

    @contextlib.contextmanager
    def be(self, losses: list) -> Iterator[None]:
        """Let the model's losses be these, and nothing else, for a while.

        Args:
            losses: Scalar tensors.
        """
        self.fixed = losses
        try:
            yield
        finally:
            self.fixed = None
