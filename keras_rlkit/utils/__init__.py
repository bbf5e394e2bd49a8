"""Argument checks and registration, shared by every part of the kit."""

from keras_rlkit.utils.casting import cast_values, casts_in_kind
from keras_rlkit.utils.recurrent_input import BurnInInput, RecurrentInput
from keras_rlkit.utils.registration import register
from keras_rlkit.utils.spaces import (
    MASK_KEY,
    leaf_spaces,
    observation_parts,
)
from keras_rlkit.utils.validation import (
    check_choice,
    check_fraction,
    check_non_negative_integer,
    check_positive_integer,
    check_positive_number,
    make_generator,
)

__all__ = [
    "MASK_KEY",
    "BurnInInput",
    "RecurrentInput",
    "cast_values",
    "casts_in_kind",
    "check_choice",
    "check_fraction",
    "check_non_negative_integer",
    "check_positive_integer",
    "check_positive_number",
    "leaf_spaces",
    "make_generator",
    "observation_parts",
    "register",
]
