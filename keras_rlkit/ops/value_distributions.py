"""Distributions of returns: projection on atoms, regression of quantiles."""

from typing import Any

import keras

from keras_rlkit.ops.arithmetic import multiply_no_nan, to_float32
from keras_rlkit.ops.shape_checks import check_shapes


def categorical_projection(
    support: Any, probabilities: Any, target_support: Any
) -> Any:
    """Probabilities of the atoms of a distribution whose values lie elsewhere.

    Each value's probability goes to the two atoms beside it, more of it to the
    nearer one; what lies outside goes to the first or the last atom. The mean
    stays what it is unless values lie outside.

    Args:
        support: Values, [B, N], such as reward + discount * atom.
        probabilities: Their probabilities, [B, N].
        target_support: Atoms, [M], increasing.

    Returns:
        float32 tensor, [B, M], without gradient.

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.categorical_projection(
        support=[[0.25, 9.0]],
        probabilities=[[0.5, 0.5]],
        target_support=[0.0, 1.0, 2.0],
    )  # [[0.375, 0.125, 0.5]]
    ```

    Reference:
        Bellemare, Dabney and Munos, A Distributional Perspective on
        Reinforcement Learning, section 4.1, https://arxiv.org/abs/1707.06887
    """
    support, probabilities = to_float32(support), to_float32(probabilities)
    atoms = to_float32(target_support)
    check_shapes(
        [
            ("support", support, "BN"),
            ("probabilities", probabilities, "BN"),
            ("target_support", atoms, "M"),
        ]
    )
    gaps = atoms[1:] - atoms[:-1]
    # The first and the last atom have a neighbour on one side only; on the
    # other nothing lies, since values are clipped.
    below = keras.ops.concatenate([gaps[:1], gaps])
    above = keras.ops.concatenate([gaps, gaps[-1:]])
    values = keras.ops.clip(support, atoms[0], atoms[-1])
    distance = keras.ops.expand_dims(values, 2) - atoms
    share = 1 - keras.ops.where(
        distance >= 0, distance / above, -distance / below
    )
    share = keras.ops.clip(share, 0.0, 1.0)
    projected = keras.ops.sum(
        share * keras.ops.expand_dims(probabilities, 2), axis=1
    )
    return keras.ops.stop_gradient(projected)


def distributional_target(reward: Any, discount: Any, values: Any) -> Any:
    """Returns that a distribution of the future becomes: r + discount * z.

    Args:
        reward: Reward of the step, [B]. For n-step transitions, the
            discounted sum of the n rewards.
        discount: Gamma, or 0 where the episode terminated, [B]: the values
            are not seen then, NaN included. For n-step transitions, gamma to
            the power of n.
        values: Returns that the future may bring, [B, N].

    Returns:
        float32 tensor, [B, N], without gradient.

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.distributional_target(
        reward=[1.0, 1.0], discount=[0.5, 0.0], values=[[2.0, 4.0], [8.0, 8.0]]
    )  # [[2, 3], [1, 1]]
    ```

    Reference:
        Bellemare, Dabney and Munos, A Distributional Perspective on
        Reinforcement Learning, section 3.3, https://arxiv.org/abs/1707.06887
    """
    reward, discount = to_float32(reward), to_float32(discount)
    values = to_float32(values)
    check_shapes(
        [
            ("reward", reward, "B"),
            ("discount", discount, "B"),
            ("values", values, "BN"),
        ]
    )
    future = multiply_no_nan(keras.ops.expand_dims(discount, 1), values)
    return keras.ops.stop_gradient(keras.ops.expand_dims(reward, 1) + future)


def categorical_divergence(target: Any, logits: Any) -> tuple[Any, Any]:
    """How far predicted probabilities are from others, for each sample.

    Args:
        target: Probabilities, [B, N]. Without gradient.
        logits: Logits of the prediction, [B, N]. Have the gradient.

    Returns:
        A tuple `(cross_entropy, divergence)`, float32 tensors [B], in nats:
        what is to be minimised, and what of it is left once the target's own
        entropy is taken off, 0 where both are the same.

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.categorical_divergence([[1.0, 0.0]], [[0.0, 0.0]])
    # ([log 2], [log 2])
    ```

    Reference:
        Bellemare, Dabney and Munos, A Distributional Perspective on
        Reinforcement Learning, algorithm 1, https://arxiv.org/abs/1707.06887;
        the divergence as priority: Hessel et al., Rainbow, section "The
        Integrated Agent", https://arxiv.org/abs/1710.02298
    """
    target = keras.ops.stop_gradient(to_float32(target))
    logits = to_float32(logits)
    check_shapes([("target", target, "BN"), ("logits", logits, "BN")])
    predicted = keras.ops.log_softmax(logits)
    cross_entropy = -keras.ops.sum(target * predicted, axis=1)
    # 0 * log(0) is 0.
    known = keras.ops.log(keras.ops.where(target > 0, target, 1.0))
    entropy = -keras.ops.sum(target * known, axis=1)
    return cross_entropy, cross_entropy - entropy


def quantile_huber_loss(
    quantiles: Any, taus: Any, target: Any, huber_parameter: float = 1.0
) -> Any:
    """Loss of quantile regression, smooth around 0, for each sample.

    A sum over quantiles of the mean over target values of
    |tau - (u < 0)| * Huber(u) / huber_parameter with u = target - quantile:
    each quantile is drawn to where a share tau of the target values is below.

    Args:
        quantiles: Values of the quantiles, [B, N]. Has the gradient.
        taus: Their probabilities in [0, 1], [N] or [B, N].
        target: Values that the target distribution takes, all equally
            probable, [B, M]. Without gradient.
        huber_parameter: Non-negative number kappa: errors below it count by
            their square. 0 is plain quantile regression. Defaults to 1.

    Returns:
        float32 tensor, [B].

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.quantile_huber_loss([[0.0]], [0.25], [[2.0, -0.5]])
    # (0.25 * 1.5 + 0.75 * 0.125) / 2 = [0.234375]
    ```

    Reference:
        Dabney et al., Distributional Reinforcement Learning with Quantile
        Regression, equations 9 and 10, https://arxiv.org/abs/1710.10044;
        division by kappa: Dabney et al., Implicit Quantile Networks for
        Distributional Reinforcement Learning, equation 3,
        https://arxiv.org/abs/1806.06923
    """
    quantiles, taus = to_float32(quantiles), to_float32(taus)
    target = keras.ops.stop_gradient(to_float32(target))
    check_shapes(
        [
            ("quantiles", quantiles, "BN"),
            ("taus", taus, "N" if len(taus.shape) == 1 else "BN"),
            ("target", target, "BM"),
        ]
    )
    error = keras.ops.expand_dims(target, 1) - keras.ops.expand_dims(
        quantiles, 2
    )
    size = keras.ops.abs(error)
    if huber_parameter > 0:
        linear = size - 0.5 * huber_parameter
        square = 0.5 * keras.ops.square(error) / huber_parameter
        size = keras.ops.where(size <= huber_parameter, square, linear)
    below = keras.ops.cast(error < 0, "float32")
    weight = keras.ops.abs(keras.ops.expand_dims(taus, -1) - below)
    return keras.ops.sum(keras.ops.mean(weight * size, axis=2), axis=1)
