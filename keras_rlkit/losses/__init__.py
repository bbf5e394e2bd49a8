"""Losses."""

from keras_rlkit.losses.negative_log_likelihood import NegativeLogLikelihood

__all__ = [
    "NegativeLogLikelihood",
]
