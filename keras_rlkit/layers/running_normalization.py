"""A layer that brings observations to mean 0 and variance 1."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.ops.moments import Moments, merge_moments
from keras_rlkit.utils import check_positive_number, register

_EPSILON = 1e-8


@register
class RunningNormalization(keras.layers.Layer):
    """Normalises observations by all that the agent has seen so far.

    Put it first in the network. Its statistics are weights that aren't
    trained: the model carries them, so acting, training and evaluation use the
    same ones, and files and `ResumeTraining` keep them. Two networks may share
    one layer, or have one each.

    Training steps don't change the statistics. `CollectRollout` and
    `CollectEpisodes` do, at the end of an epoch, with the observations that it
    was trained on: within an epoch the policy that acted and the policy that
    learns see the same numbers, and PPO's ratio begins at 1. Elsewhere call
    `update` yourself. Before the first update it changes nothing.

    Each element of an observation has its own mean and variance. For images
    `keras.layers.Rescaling` is simpler and enough.

    Args:
        clip: Positive number: results are clipped to [-clip, clip], standard
            deviations from the mean. Defaults to 10.
        **kwargs: Further arguments of `keras.layers.Layer`.

    Input shape:
        Observations `(batch, ...)` of a known shape and any number type.

    Output shape:
        The same, of the layer's float type. Worked out in float32.

    Raises:
        ValueError: If `clip` is not positive, or sizes are unknown.

    Example:

    ```python
    normalization = rlk.layers.RunningNormalization()
    network = keras.Sequential(
        [keras.Input((2,)), normalization, keras.layers.Dense(1)]
    )
    normalization.update(np.array([[0.0, 100.0], [2.0, 500.0]]))
    normalization(np.array([[1.0, 700.0]]))  # [[0, 2]]
    ```

    Reference:
        Engstrom et al., Implementation Matters in Deep Policy Gradients,
        section 2, https://arxiv.org/abs/2005.12729
    """

    def __init__(self, clip: float = 10.0, **kwargs: Any):
        # Inputs in low precision would lose what is far from zero.
        super().__init__(autocast=False, **kwargs)
        self.clip = check_positive_number("clip", clip)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the statistics for observations of this shape.

        Args:
            input_shape: Shape of the observations, the batch axis included.
        """
        shape = tuple(input_shape[1:])
        if None in shape:
            raise ValueError(
                "`RunningNormalization` needs observations of a known shape. "
                f"Received: input_shape={tuple(input_shape)}. "
                "Give the model's `keras.Input` its full shape."
            )
        self.count, self.mean, self.variance = (
            self.add_weight(
                shape=of,
                initializer=initializer,
                dtype="float32",
                trainable=False,
                autocast=False,
                name=name,
            )
            for name, of, initializer in (
                ("count", (), "zeros"),
                ("mean", shape, "zeros"),
                ("variance", shape, "ones"),
            )
        )

    def call(self, inputs: Any) -> Any:
        """Return the observations, normalised.

        Args:
            inputs: Observations, `(batch, ...)`.
        """
        ops = keras.ops
        values = ops.cast(inputs, "float32")
        deviation = ops.sqrt(self.variance + _EPSILON)
        normalised = ops.clip(
            (values - self.mean) / deviation, -self.clip, self.clip
        )
        return ops.cast(
            ops.where(self.count > 0, normalised, values), self.compute_dtype
        )

    def update(self, observations: np.ndarray) -> None:
        """Take further observations into the statistics, eagerly.

        Args:
            observations: Array `(M, ...)`, each of the shape that the layer
                was built for.

        Raises:
            ValueError: If the layer isn't built, or the shapes differ.
        """
        observations = np.asarray(observations)
        shape = tuple(self.mean.shape) if self.built else None
        if observations.shape[1:] != shape:
            raise ValueError(
                "`RunningNormalization` must come first in the network, where "
                f"it sees observations. Received: observations of shape "
                f"{observations.shape[1:]} for a layer built for {shape}."
            )
        known = (self.count, self.mean, self.variance)
        count, mean, variance = (
            keras.ops.convert_to_numpy(weight).astype(np.float64)
            for weight in known
        )
        moments = merge_moments(
            Moments(float(count), mean, variance), observations
        )
        for weight, value in zip(known, moments, strict=True):
            weight.assign(np.asarray(value, np.float32))

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the shape of the observations, which stays.

        Args:
            input_shape: Shape of the observations, the batch axis included.
        """
        return tuple(input_shape)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """Return shape and type of the result.

        Args:
            inputs: Symbolic observations.
        """
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, for saving.

        Returns:
            Dictionary of values that JSON can hold.
        """
        return {**super().get_config(), "clip": self.clip}
