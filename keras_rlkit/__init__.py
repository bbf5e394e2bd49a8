"""Reinforcement learning and probabilistic regression as parts for Keras."""

from keras_rlkit import (
    callbacks,
    environments,
    layers,
    losses,
    metrics,
    models,
    networks,
    ops,
    plots,
    policies,
    replay,
    testing,
    utils,
)

__version__ = "0.1.0"

__all__ = [
    "callbacks",
    "environments",
    "layers",
    "losses",
    "metrics",
    "models",
    "networks",
    "ops",
    "plots",
    "policies",
    "replay",
    "testing",
    "utils",
]
