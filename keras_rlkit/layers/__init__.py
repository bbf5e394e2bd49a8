"""Layers: heads that give Q values, and heads that give distributions."""

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
    "StudentTHead",
]
