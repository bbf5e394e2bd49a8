"""Checks of the contract that every part keeps, and small environments."""

from keras_rlkit.testing.chain_environment import ChainEnvironment
from keras_rlkit.testing.check_buffer import check_buffer
from keras_rlkit.testing.check_callback import check_callback
from keras_rlkit.testing.check_head import check_head
from keras_rlkit.testing.check_layer import check_layer
from keras_rlkit.testing.check_loss import check_loss
from keras_rlkit.testing.check_metric import check_metric
from keras_rlkit.testing.check_model import check_model
from keras_rlkit.testing.check_policy import check_policy
from keras_rlkit.testing.check_sampler import check_sampler
from keras_rlkit.testing.check_storage import check_storage
from keras_rlkit.testing.counter_environment import CounterEnvironment
from keras_rlkit.testing.target_environment import TargetEnvironment

__all__ = [
    "ChainEnvironment",
    "CounterEnvironment",
    "TargetEnvironment",
    "check_buffer",
    "check_callback",
    "check_head",
    "check_layer",
    "check_loss",
    "check_metric",
    "check_model",
    "check_policy",
    "check_sampler",
    "check_storage",
]
