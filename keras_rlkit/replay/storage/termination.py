"""The one place that reads done flags and turns them into discounts."""

import numpy as np


def discount_and_end(
    terminated: np.ndarray, truncated: np.ndarray, discount: float
) -> tuple[np.ndarray, np.ndarray]:
    """Say what a step's end means: for the value, and for the trajectory.

    A *terminated* step has no future: its discount is 0, so that nothing is
    bootstrapped. A *truncated* step (a time limit) has a future that was only
    not played: the trajectory ends, yet the value of the final observation
    counts as at any other step. Where both are set, the episode terminated.

    Args:
        terminated: Boolean array [N], the environment reached a terminal
            state.
        truncated: Boolean array [N], the episode was cut from outside.
        discount: Discount factor gamma of one step.

    Returns:
        A tuple `(discount, end)`: float64 [N], `discount` or 0 where
        terminated; boolean [N], whether the trajectory ends with this step.

    Example:

    ```python
    from keras_rlkit.replay.storage.termination import discount_and_end

    terminated = np.array([False, True, False])
    truncated = np.array([False, False, True])
    discount_and_end(terminated, truncated, 0.99)
    # ([0.99, 0.0, 0.99], [False, True, True])
    ```

    Reference:
        Pardo et al., Time Limits in Reinforcement Learning, section 2.2,
        https://arxiv.org/abs/1712.00378
    """
    return np.where(terminated, 0.0, discount), terminated | truncated
