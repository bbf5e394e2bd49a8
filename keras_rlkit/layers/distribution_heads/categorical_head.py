from collections.abc import Callable
from typing import Any

from keras_rlkit.layers.distribution_heads.distribution_head import (
    DistributionHead,
)
from keras_rlkit.layers.distribution_heads.tensor_distribution import (
    distributions,
)
from keras_rlkit.utils import check_positive_integer, register


@register
class CategoricalHead(DistributionHead):
    """Categorical distribution: exactly one of several classes.

    At the start, features of zero give all classes the same probability.

    Args:
        num_classes: Positive integer, the number of classes.
        convert_to_tensor: What the distribution is where a tensor is needed:
            `"probabilities"` (the default) of all classes, so that `predict`
            and `"accuracy"` work as after a softmax; `"mode"`, the likeliest
            class; `"sample"`; or a function of the distribution.
        **kwargs: Arguments of `DistributionHead` (all but `units`) and
            `keras.layers.Layer`.

    Input shape:
        Features, float, `(..., num_features)`.

    Output shape:
        `tfp.distributions.Categorical` of batch shape `(...)`. Its samples
        are int32; its tensor value `(..., num_classes)`, and so its `dtype`,
        are float32. Targets have the batch shape and are class numbers from 0
        to `num_classes - 1`.

    Raises:
        RuntimeError: If Keras' backend isn't TensorFlow.
        ValueError: If an argument is out of its range.

    Example:

    ```python
    head = rlk.layers.CategoricalHead(num_classes=10)
    digits = head(np.ones((8, 4)))
    digits.mode(), digits.entropy()
    ```
    """

    unit_axes = 0

    def __init__(
        self,
        num_classes: int,
        convert_to_tensor: str | Callable = "probabilities",
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor=convert_to_tensor, **kwargs)
        self.num_classes = check_positive_integer("num_classes", num_classes)

    @property
    def num_parameters(self) -> int:
        """One logit for each class."""
        return self.num_classes

    def make_distribution(self, parameters: Any) -> Any:
        """Return a categorical distribution of batch shape `(...)`."""
        return distributions().Categorical(logits=parameters)

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        config = {**super().get_config(), "num_classes": self.num_classes}
        del config["units"]
        return config
