"""Metrics of predicted distributions."""

from keras_rlkit.metrics.continuous_ranked_probability_score import (
    ContinuousRankedProbabilityScore,
)
from keras_rlkit.metrics.distribution_metric import DistributionMetric
from keras_rlkit.metrics.interval_coverage import IntervalCoverage
from keras_rlkit.metrics.quantile_calibration_error import (
    QuantileCalibrationError,
)

__all__ = [
    "ContinuousRankedProbabilityScore",
    "DistributionMetric",
    "IntervalCoverage",
    "QuantileCalibrationError",
]
