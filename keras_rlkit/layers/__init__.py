"""Layers: heads that give Q values or distributions, and normalisation."""

from keras_rlkit.layers.distribution_heads import (
    BernoulliHead,
    CategoricalHead,
    DistributionHead,
    LogNormalHead,
    MixtureNormalHead,
    MultivariateNormalHead,
    NegativeBinomialHead,
    NormalHead,
    PoissonHead,
    StudentTHead,
)
from keras_rlkit.layers.distribution_lambda import DistributionLambda
from keras_rlkit.layers.dueling_head import DuelingHead
from keras_rlkit.layers.running_normalization import RunningNormalization

__all__ = [
    "BernoulliHead",
    "CategoricalHead",
    "DistributionHead",
    "DistributionLambda",
    "DuelingHead",
    "LogNormalHead",
    "MixtureNormalHead",
    "MultivariateNormalHead",
    "NegativeBinomialHead",
    "NormalHead",
    "PoissonHead",
    "RunningNormalization",
    "StudentTHead",
]
