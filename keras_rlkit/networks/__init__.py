"""Networks from observations to features, named after their papers."""

from keras_rlkit.networks.impala import impala
from keras_rlkit.networks.mlp import mlp
from keras_rlkit.networks.nature import nature
from keras_rlkit.networks.small import small

__all__ = ["impala", "mlp", "nature", "small"]
