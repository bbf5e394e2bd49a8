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
from keras_rlkit.layers.value_heads.categorical_value_head import (
    CategoricalValueHead,
)
from keras_rlkit.layers.value_heads.quantile_value_head import (
    QuantileValueHead,
)

__all__ = [
    "BernoulliHead",
    "CategoricalHead",
    "CategoricalValueHead",
    "DistributionHead",
    "DistributionLambda",
    "DuelingHead",
    "LogNormalHead",
    "MixtureNormalHead",
    "MultivariateNormalHead",
    "NegativeBinomialHead",
    "NormalHead",
    "PoissonHead",
    "QuantileValueHead",
    "RunningNormalization",
    "StudentTHead",
]
