"""The door through which any environment enters."""

from typing import Any

from keras_rlkit.environments.adapters.single_environment_adapter import (
    SingleEnvironmentAdapter,
)
from keras_rlkit.environments.adapters.vector_adapter import VectorAdapter
from keras_rlkit.environments.adapters.vector_environment_adapter import (
    VectorEnvironmentAdapter,
)


def as_vector(
    environment: Any, action_masks: bool | None = None
) -> VectorAdapter:
    """Give any gymnasium environment the one interface of `VectorAdapter`.

    Args:
        environment: A `gymnasium.Env`, a `gymnasium.vector.VectorEnv` in any
            autoreset mode, wrapped or not, or a `VectorAdapter`.
        action_masks: Whether masks of allowed actions are read where the
            environment tells them, in `info["action_mask"]` or under that key
            of a dictionary of observations. Without, every action counts as
            allowed. `None` reads them, and leaves a `VectorAdapter` as it is.
            Defaults to `None`.

    Returns:
        A `VectorAdapter`; the same one if `environment` is one already.

    Raises:
        ValueError: If `environment` is nothing of these, or its observations
            or actions are no arrays, nor nests of arrays.

    Example:

    ```python
    import gymnasium

    environment = rlk.environments.as_vector(gymnasium.make("CartPole-v1"))
    observation = environment.reset(seed=0)
    step = environment.step(np.array([1]))
    print(step.reward, step.next_observation.shape)  # [1.] (1, 4)
    ```
    """
    if isinstance(environment, VectorAdapter):
        if action_masks in (None, environment.reads_action_masks):
            return environment
        environment = environment.environment
    action_masks = action_masks is not False
    import gymnasium

    if isinstance(environment, gymnasium.vector.VectorEnv):
        return VectorEnvironmentAdapter(environment, action_masks)
    if isinstance(environment, gymnasium.Env):
        return SingleEnvironmentAdapter(environment, action_masks)
    raise ValueError(
        "`environment` must be a `gymnasium.Env` or a "
        "`gymnasium.vector.VectorEnv`, such as `gymnasium.make(name)` gives. "
        f"Received: environment={environment!r}."
    )
