"""Environments to film, beside those that are played in."""

import dataclasses
import warnings
from typing import Any

import numpy as np

from keras_rlkit.environments.adapters.as_vector import as_vector
from keras_rlkit.environments.adapters.base_adapter import VectorAdapter
from keras_rlkit.environments.adapters.step import Step
from keras_rlkit.environments.atari.atari_environment import AtariEnvironment
from keras_rlkit.environments.copies.part_kinds import is_fixed, is_plain_object
from keras_rlkit.environments.copies.rebuilt_wrappers import (
    make_again,
    take_over,
    wrappers_of,
)

ATARI_SCREEN = (210, 160)


def filmed_copy(environment: Any, seed: int | None = None) -> VectorAdapter:
    """Make a second environment of the same kind whose `render` gives frames.

    It has the same wrappers around the single environment and around the
    vector, save those that only show or record. What these keep from one
    episode to the next, such as running statistics, is as it is now in
    `environment`. What the environment inside the wrappers keeps by itself,
    such as the level of a curriculum, begins anew.

    Args:
        environment: `atari(...)`, or a gymnasium environment that was made by
            name; single or vector, adapted by `as_vector` or not.
        seed: Seed of the copy's episodes.

    Returns:
        A `VectorAdapter` of one environment. Atari shows the console's own
        colours and resolution, whatever the agent sees.

    Raises:
        ValueError: If the environment or one of its wrappers can't be made
            again.

    Example:

    ```python
    environment = rlk.environments.atari("space_invaders", num_envs=8)
    film = rlk.environments.filmed_copy(environment)
    film.reset()
    film.render().shape  # (210, 160, 3)
    ```
    """
    import gymnasium

    environment = as_vector(environment)
    original = environment.environment
    several = isinstance(original, gymnasium.vector.VectorEnv)
    core = original.unwrapped if several else original
    around = [
        wrapper
        for wrapper in wrappers_of(original)
        if isinstance(wrapper, gymnasium.vector.VectorWrapper)
    ]
    if isinstance(core, AtariEnvironment):
        copy: VectorAdapter = _ColourAtari(core, around, seed)
        left_out: list[str] = []
    else:
        made, left_out = _make_single(core)
        if around:
            single = made
            made = gymnasium.vector.SyncVectorEnv(
                [lambda: single], autoreset_mode=environment._autoreset_mode
            )
        copy = as_vector(_wrap(around, made))
        if seed is not None:
            copy.reset(seed=seed)
    left_out += take_over(copy, environment)
    if left_out:
        warnings.warn(
            "What is filmed differs from what is played: the copy can't take "
            f"over {', '.join(left_out)}, and has its own. Hand over an "
            "environment to film to decide by yourself.",
            stacklevel=2,
        )
    return copy


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
    if isinstance(environment, _ColourAtari):
        return step, environment.end
    if isinstance(environment.environment, AtariEnvironment):
        return step, _screen(step)
    if getattr(environment, "_autoreset_mode", None) == "SameStep":
        return step, None
    return step, environment.render()


def _make_single(core: Any) -> tuple[Any, list[str]]:
    """Make one environment, like a single one or like the first of a vector.

    Returns it, and the names of its wrappers whose state isn't to be seen.
    """
    import gymnasium

    inside = getattr(core, "envs", None)
    single = inside[0] if inside else core
    spec = getattr(single.unwrapped, "spec", None)
    if spec is None:
        raise ValueError(
            "`environment` must have a `spec` to be made a second time. "
            f"Received: environment={core!r}. Make it with "
            "`gymnasium.make` or `gymnasium.make_vec`, or hand over an "
            "environment to film."
        )
    if isinstance(single, gymnasium.Env):
        arguments = {**spec.kwargs, "render_mode": "rgb_array"}
        made = gymnasium.make(dataclasses.replace(spec, kwargs={}), **arguments)
        return _wrap(wrappers_of(single), made), []
    made = _make_by_name(spec)
    gathering = [w for w in wrappers_of(made) if _gathers(w)]
    return made, [type(wrapper).__name__ for wrapper in gathering]


def _wrap(wrappers: list[Any], environment: Any) -> Any:
    for wrapper in reversed(wrappers):
        environment = make_again(wrapper, environment)
    return environment


def _gathers(wrapper: Any) -> bool:
    """Whether a wrapper holds an object, such as running statistics."""
    import gymnasium

    return any(
        is_plain_object(part)
        and not isinstance(part, (gymnasium.Space, gymnasium.Env))
        and not is_fixed(part)
        and not callable(part)
        for part in vars(wrapper).values()
    )


def _make_by_name(spec: Any) -> Any:
    """Make one environment from the spec of `make_vec`."""
    import gymnasium

    arguments = dict(spec.kwargs)
    for name in ("num_envs", "vectorization_mode", "vector_kwargs"):
        arguments.pop(name, None)
    wrappers = arguments.pop("wrappers", ())
    arguments["render_mode"] = "rgb_array"
    # `max_episode_steps` counts only as an argument, not in a spec's `kwargs`.
    spec = dataclasses.replace(spec, kwargs={})
    environment = gymnasium.make(spec, **arguments)
    for wrapper in wrappers:
        environment = wrapper(environment)
    return environment


class _ColourAtari(VectorAdapter):
    """One game, played on grey frames and shown in colour.

    Two emulators with the same seed take the same actions: one shows the agent
    what it was trained on, the other one is the camera.
    """

    def __init__(
        self, original: AtariEnvironment, around: list[Any], seed: int | None
    ):
        if seed is None:
            seed = int(np.random.default_rng().integers(2**30))
        player = original.twin(num_envs=1, seed=seed)
        self._player = as_vector(_wrap(around, player))
        # What the last episode ended in.
        self.end: np.ndarray | None = None
        self._camera = as_vector(
            original.twin(
                num_envs=1,
                seed=seed,
                grayscale=False,
                image_size=ATARI_SCREEN,
                frame_stack=1,
            )
        )
        super().__init__(
            self._player.environment,
            1,
            self._player.observation_space,
            self._player.action_space,
        )

    def reset(self, seed: int | None = None) -> np.ndarray:
        """Start a new episode in both emulators."""
        self._camera.reset(seed=seed)
        observation = self._player.reset(seed=seed)
        self.lives = self._player.lives
        return observation

    def step(self, actions: np.ndarray) -> Step:
        """Step both emulators with the same action."""
        seen = self._camera.step(actions)
        if seen.terminated[0] or seen.truncated[0]:
            self.end = _screen(seen)
        step = self._player.step(actions)
        self.lives = step.lives
        return step

    def render(self) -> np.ndarray:
        """Return the newest frame in colour."""
        return self._camera.render()

    def close(self) -> None:
        """Close both emulators."""
        self._camera.close()
        self._player.close()


def _screen(step: Step) -> np.ndarray:
    """Return the newest frame that a step of Atari led to, as RGB."""
    frame = step.next_observation[0, ..., -1]
    if frame.ndim == 2:
        frame = np.repeat(frame[..., np.newaxis], 3, axis=-1)
    return np.array(frame)
