"""What a network gave beside Q values, from the forward pass to the loss."""

from typing import Any


class LastOutput:
    """Keeps the output of a training step's forward pass until its loss.

    Keras hands `compute_loss` what the model returned: Q values, from which a
    distribution can't be had back, and which a second pass would give at twice
    the cost. Keras doesn't look into this object.
    """

    def __init__(self):
        self._kept: tuple[Any, Any] | None = None

    def keep(self, output: Any, q_values: Any, training: bool | None) -> Any:
        """Remember an output while training, and return its Q values.

        Args:
            output: What the network gave.
            q_values: Q values in it.
            training: As in calling a Keras model.
        """
        if training:
            self._kept = q_values, output
        return q_values

    def take(self, q_values: Any) -> Any:
        """Return and forget the output of these very Q values, or `None`."""
        kept, self._kept = self._kept, None
        return kept[1] if kept is not None and kept[0] is q_values else None
