"""Pictures of runs and predictions."""

from keras_rlkit.plots.learning_curve import learning_curve
from keras_rlkit.plots.prediction_band import prediction_band
from keras_rlkit.plots.reliability_diagram import reliability_diagram
from keras_rlkit.plots.return_distribution import return_distribution

__all__ = [
    "learning_curve",
    "prediction_band",
    "reliability_diagram",
    "return_distribution",
]
