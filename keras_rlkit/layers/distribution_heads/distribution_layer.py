from collections.abc import Callable
from typing import Any

import keras

from keras_rlkit.layers.distribution_heads.tensor_distribution import (
    CONVERSIONS,
    as_tensor_distribution,
    distributions,
)
from keras_rlkit.ops.prediction_checks import check_one_tensor
from keras_rlkit.utils import check_choice


class DistributionLayer(keras.layers.Layer):
    """Base of the layers whose output is a TFP distribution.

    Not for direct use: take a named head, subclass `DistributionHead`, or use
    `DistributionLambda`.

    Keras sees one tensor, the value that `convert_to_tensor` names; the caller
    gets the distribution. The layer runs in float32, whatever the mixed
    precision policy (in float64 if that is the float type of the policy).
    An `activity_regularizer` is given the distribution; the mean of what it
    returns is added to the model's loss.

    Args:
        convert_to_tensor: What the distribution is where a tensor is needed:
            `"mean"`, `"mode"`, `"sample"`, `"probabilities"`, or a function
            of the distribution that returns a tensor.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        RuntimeError: If Keras' backend isn't TensorFlow.
        ValueError: If `convert_to_tensor` is none of the above.
    """

    unit_axes = 0

    def __init__(
        self, convert_to_tensor: str | Callable = "mean", **kwargs: Any
    ):
        _check_backend(type(self).__name__)
        super().__init__(
            **{**kwargs, "dtype": _parameter_dtype(kwargs.get("dtype"))}
        )
        if not callable(convert_to_tensor):
            check_choice("convert_to_tensor", convert_to_tensor, CONVERSIONS)
        self.convert_to_tensor = convert_to_tensor
        self.supports_masking = True

    def distribution_parameters(self, inputs: Any) -> Any:
        """Return what `make_distribution` gets for these inputs."""
        raise NotImplementedError

    def parameter_specs(self, inputs: Any) -> Any:
        """Return `KerasTensor`s like `distribution_parameters(inputs)`."""
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """Return the distribution for these inputs."""
        output = self._output(self.distribution_parameters(inputs))
        # Keras applies an activity regularizer to tensors alone.
        if self.activity_regularizer is not None:
            penalty = self.activity_regularizer(output)
            self.add_loss(keras.ops.mean(penalty))
        return output

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """Return the shape and dtype of the output's tensor value."""
        import tensorflow as tf

        specs = keras.tree.map_structure(
            lambda x: tf.TensorSpec(x.shape, x.dtype),
            self.parameter_specs(inputs),
        )
        traced = tf.function(
            lambda parameters: tf.convert_to_tensor(self._output(parameters)),
            autograph=False,
        ).get_concrete_function(specs)
        (value,) = traced.outputs
        return keras.KerasTensor(tuple(value.shape), dtype=value.dtype.name)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Return the shape of the output's tensor value."""
        inputs = keras.tree.map_shape_structure(
            lambda shape: keras.KerasTensor(shape, dtype=self.compute_dtype),
            input_shape,
        )
        return self.compute_output_spec(inputs).shape

    def get_config(self) -> dict:
        """Return the arguments, for saving.

        Raises:
            ValueError: If one of them is a Python lambda that Keras can't
                save, since its source isn't in a file.
        """
        try:
            return self._config()
        except OSError as error:
            raise ValueError(
                f"`{type(self).__name__}` can't be saved: a function it was "
                "given is a Python lambda whose source isn't in a file. Make "
                "it a named function decorated with "
                "`keras.saving.register_keras_serializable`. Received: "
                f"{error}."
            ) from error

    @classmethod
    def from_config(cls, config: dict) -> "DistributionLayer":
        """Return the layer that `get_config` described."""
        config["convert_to_tensor"] = keras.saving.deserialize_keras_object(
            config["convert_to_tensor"]
        )
        return super().from_config(config)

    def _config(self):
        return {
            **super().get_config(),
            "convert_to_tensor": keras.saving.serialize_keras_object(
                self.convert_to_tensor
            ),
        }

    def _output(self, parameters):
        distribution = self.make_distribution(parameters)
        if not isinstance(distribution, distributions().Distribution):
            raise ValueError(
                "`make_distribution` must return a "
                "`tfp.distributions.Distribution`. "
                f"Received: {distribution!r} of type "
                f"{type(distribution).__name__}."
            )
        check_one_tensor(distribution)
        return as_tensor_distribution(
            distribution, self.convert_to_tensor, self.unit_axes
        )


def _check_backend(name):
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            f"`{name}` needs Keras' TensorFlow backend, because its output is "
            "a distribution of TensorFlow Probability. Set the environment "
            "variable KERAS_BACKEND=tensorflow before `keras` is imported. "
            f"Received: keras.backend.backend()={backend!r}."
        )


def _parameter_dtype(dtype):
    policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
    half = policy.variable_dtype in ("float16", "bfloat16")
    return "float32" if half else policy.variable_dtype
