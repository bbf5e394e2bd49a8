"""Pictures of runs and predictions."""

from keras_rlkit.plots.learning_curve import learning_curve

__all__ = ["learning_curve"]
