"""The check of what `fit` gives an agent as targets."""

from collections.abc import Sequence
from typing import Any


def check_batch(targets: Any, keys: Sequence[str], source: str) -> None:
    """Raise if the targets of a batch are not a dictionary with some keys.

    Args:
        targets: What `fit` was given as targets.
        keys: Keys that the dictionary must have.
        source: Where such batches come from, for the message.

    Raises:
        ValueError: If it is not a dictionary, or lacks a key.
    """
    names = list(targets) if isinstance(targets, dict) else []
    missing = [key for key in keys if key not in names]
    if missing:
        raise ValueError(
            f"`y` must be a dictionary with the keys {list(keys)}. "
            f"Received: {names or type(targets).__name__}, without {missing}. "
            f"Batches of this form come from {source}."
        )
