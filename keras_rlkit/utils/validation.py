"""Checks of arguments: one wording, and the value received in every message.

NumPy's integers and floats count as numbers everywhere, since spaces of
gymnasium hand them out.
"""

import numbers
import random
from collections.abc import Iterable
from typing import Any

import numpy as np


def _is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_positive_integer(name: str, value: Any) -> int:
    """Return `value` as an `int`, or raise if it isn't one above zero.

    Args:
        name: Name of the argument, as the caller typed it.
        value: What the caller gave.

    Returns:
        A Python integer >= 1.

    Raises:
        ValueError: If `value` is no integer or is below 1.
    """
    if not _is_integer(value) or value < 1:
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value!r}."
        )
    return int(value)


def check_non_negative_integer(name: str, value: Any) -> int:
    """Return `value` as an `int`, or raise if it isn't one from zero up.

    Args:
        name: Name of the argument, as the caller typed it.
        value: What the caller gave.

    Returns:
        A Python integer >= 0.

    Raises:
        ValueError: If `value` is no integer or is negative.
    """
    if not _is_integer(value) or value < 0:
        raise ValueError(
            f"`{name}` must be a non-negative integer. "
            f"Received: {name}={value!r}."
        )
    return int(value)


def check_positive_number(name: str, value: Any) -> float:
    """Return `value` as a `float`, or raise if it isn't finite and above zero.

    Args:
        name: Name of the argument, as the caller typed it.
        value: What the caller gave.

    Returns:
        A finite Python float > 0.

    Raises:
        ValueError: If `value` is no finite number above zero.
    """
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or value <= 0:
        raise ValueError(
            f"`{name}` must be a positive, finite number. "
            f"Received: {name}={value!r}."
        )
    return float(value)


def check_fraction(name: str, value: Any, zero: bool = True) -> float:
    """Return `value` as a `float`, or raise if it isn't between 0 and 1.

    Args:
        name: Name of the argument, as the caller typed it.
        value: What the caller gave.
        zero: Whether 0 is allowed. 1 always is.

    Returns:
        A Python float in [0, 1], or in (0, 1] with `zero=False`.

    Raises:
        ValueError: If `value` is no number in the range.
    """
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1 or (value == 0 and not zero):
        span = "[0, 1]" if zero else "(0, 1]"
        raise ValueError(
            f"`{name}` must be a number in {span}. Received: {name}={value!r}."
        )
    return float(value)


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> Any:
    """Return `value`, or raise if it isn't one of `choices`.

    Args:
        name: Name of the argument, as the caller typed it.
        value: What the caller gave.
        choices: The values allowed.

    Returns:
        `value`, unchanged.

    Raises:
        ValueError: If `value` isn't among `choices`.
    """
    choices = list(choices)
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {choices}. Received: {name}={value!r}."
        )
    return value


def make_generator(seed: int | None) -> np.random.Generator:
    """Return a NumPy generator; `None` follows `keras.utils.set_random_seed`.

    Args:
        seed: Non-negative integer, or `None` to draw a seed from Python's
            global `random`, which `keras.utils.set_random_seed` seeds.

    Returns:
        A `numpy.random.Generator`.

    Raises:
        ValueError: If `seed` is neither `None` nor a non-negative integer.
    """
    if seed is None:
        seed = random.getrandbits(63)
    return np.random.default_rng(check_non_negative_integer("seed", seed))
