from typing import Any

from keras import ops

from keras_rlkit.layers.distribution_heads.distribution_head import (
    DistributionHead,
)
from keras_rlkit.layers.distribution_heads.tensor_distribution import (
    distributions,
)
from keras_rlkit.utils import check_positive_number, register


@register
class NormalHead(DistributionHead):
    """Normal distribution of each output, with a fixed or a learned scale.

    The usual head for regression. By default both mean and standard deviation
    follow the features, so that the noise may grow and shrink with the input.

    At the start, features of zero give mean 0 and standard deviation 1: bring
    targets to that order of magnitude.

    Args:
        units: Positive integer, the number of outputs. Defaults to 1.
        scale: Standard deviation. `None` (the default) predicts it from the
            features; `"constant"` learns one number per unit, the same for
            every input; a positive number fixes it.
        min_scale: Positive number, the floor under a learned standard
            deviation. Defaults to 1e-3.
        **kwargs: Arguments of `DistributionHead` and `keras.layers.Layer`.

    Input shape:
        Features, float, `(..., num_features)`.

    Output shape:
        `tfp.distributions.Normal` of batch shape `(..., units)`, float32, in
        the units of the targets. Targets have that shape too.

    Raises:
        RuntimeError: If Keras' backend isn't TensorFlow.
        ValueError: If an argument is out of its range.

    Example:

    ```python
    model = keras.Sequential([
        keras.Input((1,)),
        keras.layers.Dense(16, activation="relu"),
        rlk.layers.NormalHead(),
    ])
    model.compile("adam", loss=rlk.losses.NegativeLogLikelihood())
    x = np.linspace(-1, 1, 64)[:, None]
    model.fit(x, 2 * x, verbose=0)
    prediction = model(x)
    prediction.mean(), prediction.stddev(), prediction.quantile(0.975)
    ```

    Reference:

    - Nix and Weigend, "Estimating the mean and variance of the target
      probability distribution", 1994,
      https://doi.org/10.1109/ICNN.1994.374138
    """

    def __init__(
        self,
        units: int = 1,
        scale: float | str | None = None,
        min_scale: float = 1e-3,
        **kwargs: Any,
    ):
        super().__init__(units=units, **kwargs)
        if isinstance(scale, str) and scale != "constant":
            raise ValueError(
                "`scale` must be None, 'constant' or a positive number. "
                f"Received: scale={scale!r}."
            )
        learned = scale is None or isinstance(scale, str)
        self.scale = scale if learned else check_positive_number("scale", scale)
        self.min_scale = check_positive_number("min_scale", min_scale)

    @property
    def parameters_per_unit(self) -> int:
        """Mean, and the scale where it depends on the features."""
        return 2 if self.scale is None else 1

    def build(self, input_shape: tuple) -> None:
        """Create the projection and, if learned alone, the scale."""
        super().build(input_shape)
        if self.scale == "constant":
            self.raw_scale = self.add_weight(
                (self.units,), initializer="zeros", name="raw_scale"
            )

    def make_distribution(self, parameters: Any) -> Any:
        """Return a Normal distribution of batch shape `(..., units)`."""
        location, *raw_scale = self.split(parameters)
        if self.scale is None:
            scale = self.positive(raw_scale[0], self.min_scale)
        elif self.scale == "constant":
            # The layer has no weights yet where Keras only asks for a shape.
            raw = self.raw_scale if self.built else ops.zeros((self.units,))
            scale = self.positive(ops.convert_to_tensor(raw), self.min_scale)
        else:
            scale = self.scale
        return distributions().Normal(location, scale)

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "min_scale": self.min_scale,
        }
