"""What `fit` gives an agent beside observations, checked and unpacked."""

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


def weight_of(sample_weight: Any) -> Any:
    """Return the weights of a batch as one tensor, or `None`.

    Args:
        sample_weight: What `fit` gave. On arrays it copies the weights into a
            dictionary shaped like the targets.
    """
    if isinstance(sample_weight, dict):
        return sample_weight["action"]
    return sample_weight
