from typing import Any

from keras import ops

from keras_rlkit.metrics.distribution_metric import DistributionMetric
from keras_rlkit.ops import prediction_scores
from keras_rlkit.utils import check_non_negative_integer, register


@register
class ContinuousRankedProbabilityScore(DistributionMetric):
    """How close predicted distributions are to the targets, in their units.

    The mean absolute error of a distribution: for a prediction without any
    spread it is the absolute error. It rewards being both right and sure, but
    unlike the log likelihood it forgives a single surprise. Lower is better.

    Several outputs are scored one by one, each by its own distribution, also
    where the prediction is a joint one. The score is exact for normal,
    log-normal, Student's t, Poisson, negative binomial, Bernoulli and
    categorical distributions (whose classes count as ordered), for mixtures of
    normal and for multivariate normal ones: so for every head of
    `keras_rlkit.layers`. Other distributions are sampled.

    Args:
        num_samples: Integer of 2 or more, how many samples of each prediction
            to take where there is no exact formula. Defaults to 100.
        seed: Non-negative integer, the seed of these samples. Defaults to 0.
        name: String, the metric's name in logs. Defaults to `"crps"`.
        dtype: Type of the result. Defaults to Keras' float type.

    Call arguments:
        y_true: Targets, exactly of the distribution's shape.
        y_pred: A TFP distribution.
        sample_weight: Optional weights, one for each sample or for each time
            step of each sample.

    Output shape:
        A scalar, in the units of the targets.

    Raises:
        TypeError: If `y_pred` is no distribution.
        ValueError: If an argument is out of its range or shapes don't agree.

    Example:

    ```python
    model = keras.Sequential([keras.Input((1,)), rlk.layers.NormalHead()])
    model.compile(
        "adam",
        loss=rlk.losses.NegativeLogLikelihood(),
        metrics=[rlk.metrics.ContinuousRankedProbabilityScore()],
    )
    model.fit(np.ones((8, 1)), np.ones((8, 1)), verbose=0)
    ```

    Reference:

    - Gneiting and Raftery, "Strictly proper scoring rules, prediction, and
      estimation", 2007, section 4.2,
      https://doi.org/10.1198/016214506000001437
    - Jordan, Krüger and Lerch, "Evaluating probabilistic forecasts with
      scoringRules", 2019, appendix A, https://doi.org/10.18637/jss.v090.i12
    """

    def __init__(
        self,
        num_samples: int = 100,
        seed: int = 0,
        name: str = "crps",
        dtype: Any = None,
    ):
        super().__init__(num_values=1, name=name, dtype=dtype)
        if check_non_negative_integer("num_samples", num_samples) < 2:
            raise ValueError(
                "`num_samples` must be an integer of 2 or more. "
                f"Received: num_samples={num_samples!r}."
            )
        self.num_samples = int(num_samples)
        self.seed = check_non_negative_integer("seed", seed)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Return the score of each target."""
        # New samples for each batch, and the same ones in each evaluation.
        seed = ops.stack(
            [ops.cast(self.seed, "int32"), ops.cast(self.weight, "int32")]
        )
        score = prediction_scores.continuous_ranked_probability_score(
            y_true, y_pred, self.num_samples, seed
        )
        return score[..., None]

    def summarize(self, mean: Any) -> Any:
        """Return the mean score."""
        return mean[0]

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {
            **super().get_config(),
            "num_samples": self.num_samples,
            "seed": self.seed,
        }
