"""What the measured libraries play: the same games as the kit, in gymnasium.

Needs nothing but gymnasium, and ale-py for Space Invaders.
"""

import gymnasium
import numpy as np

WARM, CAPACITY, EVERY = 1_000, 20_000, 4
LEARNING_RATE, DISCOUNT, EPSILON, TARGET_EVERY = 1e-4, 0.99, 0.1, 1_000


def make_environment(task: str, seed: int = 0) -> gymnasium.Env:
    """Return the environment of a task, `"nature"` or `"cartpole"`."""
    if task == "cartpole":
        return gymnasium.make("CartPole-v1")
    import ale_py
    from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

    gymnasium.register_envs(ale_py)
    environment = gymnasium.make(
        "ALE/SpaceInvaders-v5", frameskip=1, repeat_action_probability=0.0
    )
    environment = AtariPreprocessing(environment, noop_max=30, frame_skip=4)
    environment = FrameStackObservation(environment, 4)
    environment.action_space.seed(seed)
    return environment


def observations(task: str, count: int) -> np.ndarray:
    """Return made-up observations to act on."""
    random = np.random.default_rng(0)
    if task == "cartpole":
        return random.normal(size=(count, 4)).astype("float32")
    return random.integers(0, 255, (count, 4, 84, 84), dtype=np.uint8)
