"""Numbers brought to mean 0 and standard deviation 1."""

import numpy as np


def standardized(values: np.ndarray) -> np.ndarray:
    """Return numbers with mean 0 and standard deviation 1.

    Equal numbers, or a single one, become zeros: there is nothing to tell
    them apart by, and dividing by a rounding error would make noise of it.

    Args:
        values: Array [M].

    Returns:
        float32 array [M].
    """
    values = values.astype(np.float64)
    deviation = values - values.mean()
    scale = deviation.std()
    if scale <= 1e-6 * np.abs(values).max():
        return np.zeros(len(values), np.float32)
    return (deviation / scale).astype(np.float32)
