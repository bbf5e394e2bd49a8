from collections.abc import Callable
from typing import Any

import keras

from keras_rlkit.layers.distribution_heads import DistributionLayer
from keras_rlkit.utils import register


@register
class DistributionLambda(DistributionLayer):
    """Turn the output of the layer before into any TFP distribution.

    For a distribution that has no named head, or for a quick trial. It has no
    weights of its own: the layer before gives the distribution's parameters.
    A floor under every scale is up to `make_distribution`; without one the
    likelihood may have no bound, and the loss ends in NaN.

    A model with this layer saves where `make_distribution` is a function
    registered with `keras.saving.register_keras_serializable`. One with a
    Python lambda saves too, if its source is in a file, but loads with
    `safe_mode=False` only, since loading it runs code from the file.

    Args:
        make_distribution: Function of the layer's input that returns a
            `tfp.distributions.Distribution`. The input is float32, or a list
            or dictionary of tensors. Keep the last axis of size one
            (`t[..., :1]`, not `t[..., 0]`), so that the distribution has the
            shape of the targets.
        convert_to_tensor: What the distribution is where a tensor is needed,
            as in `predict`, in metrics such as `"mse"` and in a layer that
            follows: `"mean"` (the default), `"mode"`, `"sample"`,
            `"probabilities"`, or a function of the distribution that returns
            a tensor.
        **kwargs: Arguments of `keras.layers.Layer`. An `activity_regularizer`
            is given the distribution, as a divergence from a prior needs.

    Input shape:
        Whatever `make_distribution` takes.

    Output shape:
        The distribution that `make_distribution` returns. Each entry of its
        batch shape counts as a sample of its own in the loss; to add up the
        log likelihoods of some axes, wrap it in
        `tfp.distributions.Independent`.

    Raises:
        RuntimeError: If Keras' backend isn't TensorFlow.
        TypeError: If `make_distribution` isn't callable.
        ValueError: If it returns something else than a distribution, or if the
            distribution doesn't have what `convert_to_tensor` names.

    Example:

    ```python
    import tensorflow_probability as tfp

    @keras.saving.register_keras_serializable("my_package")
    def laplace(t):
        scale = 1e-3 + keras.ops.softplus(t[..., 1:])
        return tfp.distributions.Laplace(t[..., :1], scale)

    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(2),
        rlk.layers.DistributionLambda(laplace),
    ])
    model.compile("adam", loss=rlk.losses.NegativeLogLikelihood())
    model.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0)
    model(np.ones((8, 4))).stddev()
    ```
    """

    def __init__(
        self,
        make_distribution: Callable,
        convert_to_tensor: str | Callable = "mean",
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor=convert_to_tensor, **kwargs)
        if not callable(make_distribution):
            raise TypeError(
                "`make_distribution` must be a function that returns a "
                "`tfp.distributions.Distribution`. "
                f"Received: make_distribution={make_distribution!r}."
            )
        self.make_distribution = make_distribution

    def distribution_parameters(self, inputs: Any) -> Any:
        """Return the input: it is what `make_distribution` gets."""
        return inputs

    def parameter_specs(self, inputs: Any) -> Any:
        """Return the input's specification."""
        return inputs

    @classmethod
    def from_config(cls, config: dict) -> "DistributionLambda":
        """Return the layer that `get_config` described.

        Raises:
            ValueError: If the layer was saved with a Python lambda and
                `safe_mode` is on.
        """
        function = config["make_distribution"]
        try:
            config["make_distribution"] = keras.saving.deserialize_keras_object(
                function
            )
        except ValueError as error:
            if function.get("class_name") != "__lambda__":
                raise
            raise ValueError(
                "This `DistributionLambda` was saved with a Python lambda, and "
                "loading one runs code from the file. Make it a named function "
                "decorated with `keras.saving.register_keras_serializable` "
                "and save again, use a named head such as `NormalHead`, or, "
                "if you trust the file, load it with `safe_mode=False`."
            ) from error
        return super().from_config(config)

    def _config(self):
        return {
            **super()._config(),
            "make_distribution": keras.saving.serialize_keras_object(
                self.make_distribution
            ),
        }
