"""Environments to film, beside those that are played in."""

import dataclasses
from typing import Any

import numpy as np

from keras_rlkit.environments.as_vector import as_vector
from keras_rlkit.environments.atari_environment import AtariEnvironment
from keras_rlkit.environments.vector_adapter import Step, VectorAdapter

ATARI_SCREEN = (210, 160)


def filmed_copy(environment: Any, seed: int | None = None) -> VectorAdapter:
    """Make a second environment of the same kind whose `render` gives frames.

    Args:
        environment: `atari(...)`, or a gymnasium environment that was made by
            name; single or vector, adapted by `as_vector` or not.
        seed: Seed of the copy's episodes.

    Returns:
        A `VectorAdapter` of one environment. Atari shows the console's own
        colours and resolution, whatever the agent sees.

    Raises:
        ValueError: If the environment can't be made again.

    Example:

    ```python
    environment = rlk.environments.atari("space_invaders", num_envs=8)
    film = rlk.environments.filmed_copy(environment)
    film.reset()
    film.render().shape  # (210, 160, 3)
    ```
    """
    environment = as_vector(environment)
    original = environment.environment
    if isinstance(original, AtariEnvironment):
        return _ColourAtari(original, seed)
    spec = getattr(original, "spec", None)
    if spec is None:
        raise ValueError(
            "`environment` must have a `spec` to be made a second time. "
            f"Received: environment={original!r}. Make it with "
            "`gymnasium.make` or `gymnasium.make_vec`, or hand over an "
            "environment to film."
        )
    copy = as_vector(_make_single(spec))
    if seed is not None:
        copy.reset(seed=seed)
    return copy


def _make_single(spec: Any) -> Any:
    """Make one environment from the spec of `make` or of `make_vec`."""
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

    def __init__(self, original: AtariEnvironment, seed: int | None):
        if seed is None:
            seed = int(np.random.default_rng().integers(2**30))
        self._player = as_vector(original.twin(num_envs=1, seed=seed))
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
        self._camera.step(actions)
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
