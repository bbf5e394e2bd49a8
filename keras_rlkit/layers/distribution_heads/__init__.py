"""Layers whose output is a distribution of TensorFlow Probability."""

from keras_rlkit.layers.distribution_heads.bernoulli_head import BernoulliHead
from keras_rlkit.layers.distribution_heads.categorical_head import (
    CategoricalHead,
)
from keras_rlkit.layers.distribution_heads.distribution_head import (
    DistributionHead,
)
from keras_rlkit.layers.distribution_heads.distribution_layer import (
    DistributionLayer,
)
from keras_rlkit.layers.distribution_heads.log_normal_head import LogNormalHead
from keras_rlkit.layers.distribution_heads.mixture_normal_head import (
    MixtureNormalHead,
)
from keras_rlkit.layers.distribution_heads.multivariate_normal_head import (
    MultivariateNormalHead,
)
from keras_rlkit.layers.distribution_heads.negative_binomial_head import (
    NegativeBinomialHead,
)
from keras_rlkit.layers.distribution_heads.normal_head import NormalHead
from keras_rlkit.layers.distribution_heads.poisson_head import PoissonHead
from keras_rlkit.layers.distribution_heads.student_t_head import StudentTHead

__all__ = [
    "BernoulliHead",
    "CategoricalHead",
    "DistributionHead",
    "DistributionLayer",
    "LogNormalHead",
    "MixtureNormalHead",
    "MultivariateNormalHead",
    "NegativeBinomialHead",
    "NormalHead",
    "PoissonHead",
    "StudentTHead",
]
