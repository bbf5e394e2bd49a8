from typing import Any

import numpy as np
from keras import ops

from keras_rlkit.layers.distribution_heads.distribution_head import (
    DistributionHead,
)
from keras_rlkit.layers.distribution_heads.tensor_distribution import (
    distributions,
)
from keras_rlkit.utils import (
    check_positive_integer,
    check_positive_number,
    register,
)


@register
class MixtureNormalHead(DistributionHead):
    """Mixture of normal distributions of each output: several answers at once.

    For targets with more than one likely value for the same input, or with a
    shape that no single distribution has. Weights, means and standard
    deviations of all components follow the features. At the start, features of
    zero give equal weights, standard deviations of 1 and means spread over
    [-1, 1], which lets the components part.

    Args:
        units: Positive integer, the number of outputs, each with a mixture of
            its own.
        num_components: Positive integer, the components of one mixture.
        min_scale: Positive number, the floor under every component's standard
            deviation. Defaults to 1e-3. A mixture's likelihood has no upper
            bound without it: a component may collapse onto one target.
        **kwargs: Arguments of `DistributionHead` and `keras.layers.Layer`.

    Input shape:
        Features, float, `(..., num_features)`.

    Output shape:
        `tfp.distributions.MixtureSameFamily` of batch shape `(..., units)`,
        float32; it has a `cdf`, but neither `quantile` nor `mode`. Targets
        have that shape too.

    Raises:
        RuntimeError: If Keras' backend isn't TensorFlow.
        ValueError: If an argument is out of its range.

    Example:

    ```python
    head = rlk.layers.MixtureNormalHead(units=1, num_components=3)
    head(np.ones((8, 3))).cdf(0.0)
    ```

    Reference:

    - Bishop, "Mixture density networks", 1994,
      https://publications.aston.ac.uk/id/eprint/373/
    """

    def __init__(
        self,
        units: int,
        num_components: int,
        min_scale: float = 1e-3,
        **kwargs: Any,
    ):
        super().__init__(units=units, **kwargs)
        self.num_components = check_positive_integer(
            "num_components", num_components
        )
        self.min_scale = check_positive_number("min_scale", min_scale)

    @property
    def parameters_per_unit(self) -> int:
        """Logit, mean and scale of every component."""
        return 3 * self.num_components

    def make_distribution(self, parameters: Any) -> Any:
        """Return a mixture of normals of batch shape `(..., units)`."""
        shape = (*ops.shape(parameters)[:-1], self.units, self.num_components)
        logits, location, raw_scale = (
            ops.reshape(part, shape)
            for part in ops.split(parameters, 3, axis=-1)
        )
        if self.num_components > 1:
            spread = np.linspace(-1, 1, self.num_components)
            location += ops.convert_to_tensor(spread, dtype=location.dtype)
        scale = self.positive(raw_scale, self.min_scale)
        tfd = distributions()
        return tfd.MixtureSameFamily(
            tfd.Categorical(logits=logits), tfd.Normal(location, scale)
        )

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {
            **super().get_config(),
            "num_components": self.num_components,
            "min_scale": self.min_scale,
        }
