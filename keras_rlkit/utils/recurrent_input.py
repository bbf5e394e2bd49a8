"""What a model with carried state takes."""

from typing import Any, NamedTuple


class RecurrentInput(NamedTuple):
    """Sequences of observations, and the state that they begin with.

    Attributes:
        observation: Array [B, T, ...], or a nest of such.
        state: Tuple of arrays [B, units], the state at the first step.
    """

    observation: Any
    state: Any


class BurnInInput(NamedTuple):
    """Sequences whose first b steps only bring the state up to date.

    The model's output is of the T steps behind them.

    Attributes:
        observation: Array [B, b + T, ...], or a nest of such.
        state: Tuple of arrays [B, units], the state at the first step.
        burn_in: Booleans [B, b], which of the first b steps are there. Those
            that are not leave the state as it is.
    """

    observation: Any
    state: Any
    burn_in: Any
