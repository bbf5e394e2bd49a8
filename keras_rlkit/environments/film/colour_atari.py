"""An Atari game, played on grey frames and shown in colour."""

from typing import Any

import numpy as np

from keras_rlkit.environments.adapters.as_vector import as_vector
from keras_rlkit.environments.adapters.step import Step
from keras_rlkit.environments.adapters.vector_adapter import VectorAdapter
from keras_rlkit.environments.atari.atari_environment import AtariEnvironment
from keras_rlkit.environments.copies.rebuilt_wrappers import wrap_again

ATARI_SCREEN = (210, 160)


class ColourAtari(VectorAdapter):
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
        self._player = as_vector(wrap_again(around, player))
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
            self.end = newest_frame(seen)
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


def newest_frame(step: Step) -> np.ndarray:
    """Return the newest frame that a step of Atari led to, as RGB."""
    frame = step.next_observation[0, ..., -1]
    if frame.ndim == 2:
        frame = np.repeat(frame[..., np.newaxis], 3, axis=-1)
    return np.array(frame)
