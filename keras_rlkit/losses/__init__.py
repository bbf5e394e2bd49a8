"""Losses."""

from keras_rlkit.losses.clipped_surrogate_loss import ClippedSurrogateLoss
from keras_rlkit.losses.negative_log_likelihood import NegativeLogLikelihood
from keras_rlkit.losses.policy_gradient_loss import PolicyGradientLoss

__all__ = [
    "ClippedSurrogateLoss",
    "NegativeLogLikelihood",
    "PolicyGradientLoss",
]
