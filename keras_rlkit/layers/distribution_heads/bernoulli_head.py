from typing import Any

from keras_rlkit.layers.distribution_heads.distribution_head import (
    DistributionHead,
)
from keras_rlkit.layers.distribution_heads.tensor_distribution import (
    distributions,
)
from keras_rlkit.utils import register


@register
class BernoulliHead(DistributionHead):
    """Bernoulli distribution of each output: yes or no.

    With several units, several labels that may hold together; where exactly
    one class is right, use `CategoricalHead`. At the start, features of zero
    give a probability of 0.5.

    Args:
        units: Positive integer, the number of outputs. Defaults to 1.
        **kwargs: Arguments of `DistributionHead` and `keras.layers.Layer`.

    Input shape:
        Features, float, `(..., num_features)`.

    Output shape:
        `tfp.distributions.Bernoulli` of batch shape `(..., units)`. Its
        samples are int32; its tensor value, the probability of 1, and so its
        `dtype`, are float32. Targets have the batch shape and are 0 or 1.

    Raises:
        RuntimeError: If Keras' backend isn't TensorFlow.
        ValueError: If an argument is out of its range.

    Example:

    ```python
    head = rlk.layers.BernoulliHead(units=3)
    head(np.ones((8, 4))).mean()
    ```
    """

    parameters_per_unit = 1

    def make_distribution(self, parameters: Any) -> Any:
        """Return a Bernoulli distribution of batch shape `(..., units)`."""
        return distributions().Bernoulli(logits=parameters)
