"""A TFP distribution that TensorFlow and Keras can also use as a tensor."""

import functools
import numbers
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.ops.predicted_samples import draw_one

CONVERSIONS = ("mean", "mode", "sample", "probabilities")


@functools.cache
def distributions() -> Any:
    """Return `tensorflow_probability.distributions`, imported on first use.

    Raises:
        ImportError: If TensorFlow Probability or `tf-keras` is missing.
    """
    try:
        import tensorflow_probability as tfp

        return tfp.distributions
    except ImportError as error:
        raise ImportError(
            "Distribution heads need TensorFlow Probability. Install it with "
            f"`pip install tensorflow-probability[tf]`. Received: {error}"
        ) from error


def as_tensor_distribution(
    distribution: Any,
    convert_to_tensor: str | Callable = "mean",
    unit_axes: int = 0,
) -> Any:
    """Give a TFP distribution a tensor value.

    The result is a `tfp.distributions.Distribution` with every method and
    attribute of `distribution`. Wherever TensorFlow or Keras ask for a
    tensor, they get the value that `convert_to_tensor` names, computed here
    once, so that a sample stays the same sample.

    Args:
        distribution: A `tfp.distributions.Distribution`.
        convert_to_tensor: `"mean"`, `"mode"`, `"sample"`, `"probabilities"`
            or a function of the distribution that returns a tensor.
        unit_axes: How many of the last batch axes hold independent outputs of
            one sample, whose log likelihoods add up.

    Returns:
        The distribution with a tensor value. `tensor_distribution` is the
        distribution that was given, `shape` and `dtype` those of the value.

    Raises:
        ValueError: If the distribution doesn't have what `convert_to_tensor`
            names.
    """
    cls = _tensor_distribution_class()
    wrapped = object.__new__(cls)
    # Set past `__init__`: a shell without state of its own shows through to
    # the distribution inside.
    vars(wrapped).update(
        tensor_distribution=distribution,
        unit_axes=unit_axes,
        _convert_to_tensor=convert_to_tensor,
        _value=_tensor_value(distribution, convert_to_tensor),
    )
    return wrapped


def _tensor_value(distribution, convert_to_tensor):
    if callable(convert_to_tensor):
        return convert_to_tensor(distribution)
    method = {"probabilities": "probs_parameter"}.get(
        convert_to_tensor, convert_to_tensor
    )
    try:
        if method == "sample":
            value = draw_one(distribution)
        else:
            value = getattr(distribution, method)()
    except (AttributeError, NotImplementedError) as error:
        raise ValueError(
            f"A {type(distribution).__name__} distribution has no "
            f"`{method}`. Choose another `convert_to_tensor` among "
            f"{list(CONVERSIONS)}, or give a function of the distribution. "
            f"Received: convert_to_tensor={convert_to_tensor!r}."
        ) from error
    if convert_to_tensor != "probabilities":
        # TFP forgets the static shape where a parameter is a plain number.
        shape = distribution.batch_shape.concatenate(distribution.event_shape)
        value.set_shape(shape)
    return value


@functools.cache
def _tensor_distribution_class():
    import tensorflow as tf

    tfd = distributions()
    numeric = (numbers.Number, np.ndarray, np.bool_, list, tf.Tensor)
    numeric += (tf.Variable, keras.Variable)
    own = {"dtype", "numpy", "shape", "tensor_distribution"}

    class TensorDistribution(tfd.Distribution):
        # As a tensor has: NumPy on the left of an operator steps back.
        __array_priority__ = 100

        def __getattribute__(self, name):
            state = object.__getattribute__(self, "__dict__")
            if name in state:
                return state[name]
            if name in own or name.startswith("__"):
                return object.__getattribute__(self, name)
            return getattr(state["tensor_distribution"], name)

        __setattr__ = object.__setattr__

        @property
        def shape(self):
            return self._value.shape

        @property
        def dtype(self):
            return self._value.dtype

        def numpy(self):
            return self._value.numpy()

        def __array__(self, dtype=None, copy=None):
            # Keras also takes its presence as a sign that a layer's input
            # can be converted to a tensor. While tracing, the tensor raises
            # what TensorFlow expects of an object that isn't a constant.
            return np.array(self._value, dtype=dtype)

        def __eq__(self, other):
            # Other distributions are equal to themselves alone, as in TFP.
            if not isinstance(other, numeric):
                return self is other
            return tf.convert_to_tensor(self) == other

        def __ne__(self, other):
            if not isinstance(other, numeric):
                return self is not other
            return tf.convert_to_tensor(self) != other

        __hash__ = object.__hash__

        def __bool__(self):
            return bool(self._value)

        def __getitem__(self, slices):
            part = self.tensor_distribution[slices]
            same_axes = part.batch_shape.rank == self.batch_shape.rank
            return as_tensor_distribution(
                part,
                self._convert_to_tensor,
                self.unit_axes if same_axes else 0,
            )

        def __repr__(self):
            return repr(self.tensor_distribution)

        def __str__(self):
            return str(self.tensor_distribution)

    def operator(name):
        def apply(self, *operands):
            return getattr(tf.convert_to_tensor(self), name)(*operands)

        return apply

    stated = {"__eq__", "__ne__", "__getitem__"}
    for name in set(tf.Tensor.OVERLOADABLE_OPERATORS) - stated:
        setattr(TensorDistribution, name, operator(name))

    def to_tensor(value, dtype=None, name=None, as_ref=False):
        tensor = tf.convert_to_tensor(value._value)
        return tensor if dtype is None else tf.cast(tensor, dtype)

    tf.register_tensor_conversion_function(TensorDistribution, to_tensor)

    @tfd.RegisterKL(TensorDistribution, tfd.Distribution)
    def divergence_from(first, second, name=None):
        return tfd.kl_divergence(first.tensor_distribution, second, name=name)

    @tfd.RegisterKL(tfd.Distribution, TensorDistribution)
    def divergence_to(first, second, name=None):
        return tfd.kl_divergence(first, second.tensor_distribution, name=name)

    return TensorDistribution
