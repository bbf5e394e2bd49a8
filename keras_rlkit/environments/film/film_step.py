"""Steps an environment, and looks at what followed."""

from typing import Any

import numpy as np

from keras_rlkit.environments.adapters.step import Step
from keras_rlkit.environments.adapters.vector_adapter import VectorAdapter
from keras_rlkit.environments.atari.atari_environment import AtariEnvironment
from keras_rlkit.environments.film.colour_atari import (
    ColourAtari,
    newest_frame,
)


def film_step(
    environment: VectorAdapter, actions: np.ndarray
) -> tuple[Step, np.ndarray | None]:
    """Step, and look at what followed in environment 0.

    Args:
        environment: Adapted environment that renders, reset before.
        actions: As `VectorAdapter.step` takes them.

    Returns:
        The step, and an RGB frame: at an episode's end of the end, not of the
        next episode's beginning. `None` where the environment has begun the
        next one by itself and shows the end to nobody, as a vector in
        `SAME_STEP` mode does that runs in other processes.
    """
    inside = getattr(environment.environment.unwrapped, "envs", None)
    looked_at = inside[0] if inside else environment.environment
    seen: list[np.ndarray] = []
    reset = looked_at.reset

    def look_and_reset(**arguments: Any) -> Any:
        frame = np.array(looked_at.render()) if inside else environment.render()
        seen.append(frame)
        return reset(**arguments)

    held = vars(looked_at)
    before = held.get("reset")
    held["reset"] = look_and_reset
    try:
        step = environment.step(actions)
    finally:
        del held["reset"]
        if before is not None:
            held["reset"] = before
    if not (step.terminated[0] or step.truncated[0]):
        return step, environment.render()
    if seen:
        return step, seen[0]
    if isinstance(environment, ColourAtari):
        return step, environment.end
    if isinstance(environment.environment, AtariEnvironment):
        return step, newest_frame(step)
    if getattr(environment, "_autoreset_mode", None) == "SameStep":
        return step, None
    return step, environment.render()
