"""Samples of predicted distributions, of counts in batches of any size too.

Works on any object with the methods of a TFP distribution.
"""

from typing import Any

import keras
from keras import ops

from keras_rlkit.ops import marginal_distributions as marginals
from keras_rlkit.ops import mixture_components as mixtures
from keras_rlkit.ops.distribution_parts import inner_distribution, kind

# XLA can't compile what TFP draws these with: there is no kernel, or the size
# of the batch has to be known.
_COUNTS = ("Binomial", "NegativeBinomial", "Poisson")
_MOST_DOUBLINGS = 50


def draw(
    targets: Any, distribution: Any, num_samples: int, seed: Any = None
) -> Any:
    """Return samples of each output, under XLA too.

    Counts, alone or as parts of mixtures, are drawn independently of other
    outputs.

    Args:
        targets: Tensor of the distribution's shape.
        distribution: A distribution.
        num_samples: Positive integer.
        seed: Two integers, or None.

    Returns:
        Float or integer tensor `(num_samples, ...)`, like the targets or
        broadcast to them.
    """
    base = inner_distribution(distribution)
    if not _has_counts(base):
        samples = distribution.sample(num_samples, seed=seed)
        while len(samples.shape) < len(targets.shape) + 1:
            samples = ops.expand_dims(samples, axis=1)
        return samples
    if not mixtures.mixture_components(base):
        return _draw_counts(targets, base, num_samples, seed)
    seeds = _seeds(seed)
    (samples,) = mixtures.by_component(
        base,
        lambda targets, part: (
            ops.cast(draw(targets, part, num_samples, next(seeds)), base.dtype),
        ),
        targets,
    )
    return _draw_component(base, samples, next(seeds))


def draw_one(distribution: Any) -> Any:
    """Return one sample of the distribution's shape, under XLA too."""
    if keras.backend.backend() != "tensorflow" or not _has_counts(
        inner_distribution(distribution)
    ):
        return distribution.sample()
    import tensorflow as tf

    if tf.executing_eagerly():
        return distribution.sample()
    shape = tf.concat(
        [distribution.batch_shape_tensor(), distribution.event_shape_tensor()],
        axis=0,
    )
    static = distribution.batch_shape.concatenate(distribution.event_shape)
    targets = tf.ensure_shape(tf.zeros(shape, distribution.dtype), static)
    return draw(targets, distribution, 1)[0]


def _has_counts(base):
    parts = mixtures.mixture_components(base)
    if parts:
        return any(map(_has_counts, parts))
    return kind(base) in _COUNTS


def _seeds(seed):
    """Yield seeds that differ from each other and from other mixtures'."""
    number = 1
    while True:
        if seed is None:
            yield None
        else:
            yield ops.cast(ops.convert_to_tensor(seed), "int32") * 31 + number
        number += 1


def _draw_counts(targets, base, num_samples, seed):
    """Invert the distribution function: the first count that reaches it."""
    import tensorflow_probability as tfp

    precise = marginals.in_float64(base)
    # NaN where the parameters are.
    zeros = ops.zeros_like(ops.cast(targets, "float64")) + 0 * precise.mean()
    one = ops.ones((), "float64")
    level = tfp.distributions.Uniform(zeros, one).sample(num_samples, seed=seed)

    def is_below(count):
        up_to = marginals.up_to_target(count, precise)
        # TensorFlow's incomplete beta function forgets it.
        up_to.set_shape(level.shape)
        return up_to < level

    def double(below, count):
        short = is_below(count)
        return (
            ops.where(short, count, below),
            ops.where(short, 2 * count + 1, count),
        )

    def halve(below, count):
        middle = ops.floor((below + count) / 2)
        short = is_below(middle)
        return (
            ops.where(short, middle, below),
            ops.where(short, count, middle),
        )

    counts = ops.zeros_like(level)
    bounds = ops.while_loop(
        lambda below, count: ops.any(is_below(count)),
        double,
        (counts - 1, counts),
        maximum_iterations=_MOST_DOUBLINGS,
    )
    _, counts = ops.while_loop(
        lambda below, count: ops.any(count - below > 1), halve, bounds
    )
    counts += 0 * level
    return ops.cast(ops.stop_gradient(counts), base.dtype)


def _draw_component(mixture, samples, seed):
    """Choose among samples of the components."""
    import tensorflow_probability as tfp

    axis = mixtures.component_axis(mixture)
    samples = ops.moveaxis(samples, axis, -1)
    weights = ops.moveaxis(mixtures.component_weights(mixture), axis, -1)
    weights += ops.zeros_like(samples)
    choice = tfp.distributions.Categorical(probs=weights).sample(seed=seed)
    chosen = ops.one_hot(choice, weights.shape[-1], dtype="bool")
    return ops.sum(ops.where(chosen, samples, 0.0), axis=-1)
