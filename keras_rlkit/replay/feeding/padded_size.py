"""Sizes of batches that a backend doesn't have to compile anew each time."""


def padded_size(size: int) -> int:
    """Return the next size of few: powers of two and the middles between.

    Compiled functions are made anew for each size on some backends; of these
    sizes there are two per octave.

    Args:
        size: Positive integer.

    Returns:
        Integer from `size` on, below 1.5 times it.
    """
    power = 1 << (size - 1).bit_length()
    return power * 3 // 4 if size <= power * 3 // 4 else power
