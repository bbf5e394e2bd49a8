"""Masks of allowed actions."""

from typing import Any

import keras

from keras_rlkit.ops.shape_checks import check_shapes


def mask_actions(values: Any, action_mask: Any) -> Any:
    """Put -inf in place of what is said of forbidden actions.

    A maximum, an argmax, a softmax, an entropy or a log-probability of the
    result is one over the allowed actions alone. Values of allowed actions stay
    what they are, bit for bit, and no gradient flows into the others.

    Args:
        values: Q values or logits, [B, A], of any float dtype.
        action_mask: Booleans, or zeros and ones, [B, A]: which actions are
            allowed.

    Returns:
        Tensor [B, A] in the dtype of `values`.

    Raises:
        ValueError: If a rank is wrong or sizes differ.

    Example:

    ```python
    rlk.ops.mask_actions([[1.0, 2.0]], [[True, False]])  # [[1, -inf]]
    ```

    Reference:
        Huang and Ontanon, A Closer Look at Invalid Action Masking in Policy
        Gradient Algorithms, section 2, https://arxiv.org/abs/2006.14171
    """
    values = keras.ops.convert_to_tensor(values)
    action_mask = keras.ops.cast(action_mask, "bool")
    check_shapes([("values", values, "BA"), ("action_mask", action_mask, "BA")])
    lowest = keras.ops.cast(float("-inf"), values.dtype)
    return keras.ops.where(action_mask, values, lowest)
