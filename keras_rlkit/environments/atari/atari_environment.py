"""The vector environment that `atari` makes, on ale-py's."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rlkit.environments.action_checks import check_discrete_actions
from keras_rlkit.environments.atari.atari_argument_checks import (
    SEED_LIMIT,
    check_seeds,
    check_settings,
)
from keras_rlkit.utils import make_generator

FRAMES_PER_SECOND = 60
# Frames that no episode reaches.
NEVER = 2**30


class AtariEnvironment:
    """Vector environment of one Atari game; `atari` makes it.

    It is a `gymnasium.vector.VectorEnv` in `SAME_STEP` mode: a game that has
    ended starts again at once, and its true last observation is in
    `info["final_obs"]`, in the rows that `info["_final_obs"]` marks.
    Observations are views of the emulator's arrays, which are new in each
    step: nothing is copied, and what was handed out stays as it is.

    Attributes:
        settings: Dictionary of the arguments of `atari` that made it.
    """

    def __new__(cls, settings: dict[str, Any]) -> "AtariEnvironment":
        """Make an object whose class is a gymnasium `VectorEnv` too."""
        return object.__new__(_with_gymnasium_base(cls))

    def __init__(self, settings: dict[str, Any]):
        from gymnasium.spaces import Box
        from gymnasium.vector.utils import batch_space

        self.settings = settings = check_settings(settings)
        self.num_envs = settings["num_envs"]
        self.render_mode = "rgb_array"
        self._emulator = _make_emulator(settings)
        self.autoreset_mode = self._emulator.autoreset_mode
        self.metadata = {
            "autoreset_mode": self.autoreset_mode,
            "render_modes": ["rgb_array"],
            "render_fps": FRAMES_PER_SECOND / settings["frame_skip"],
        }
        shape = self._emulator.single_observation_space.shape
        self.single_observation_space = Box(
            0, 255, (*shape[1:], shape[0]), np.uint8
        )
        self.single_action_space = self._emulator.single_action_space
        self.observation_space = batch_space(
            self.single_observation_space, self.num_envs
        )
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._stack_last = (0, *range(2, len(shape) + 1), 1)
        self._observation = None
        self._steps = np.zeros(self.num_envs, np.int64)
        self._max_steps = -(
            -settings["max_episode_frames"] // settings["frame_skip"]
        )
        self._first_seed = settings["seed"]
        if self._first_seed is None:
            generator = make_generator(None)
            self._first_seed = int(
                generator.integers(SEED_LIMIT - self.num_envs)
            )

    def reset(
        self,
        *,
        seed: int | Sequence[int] | np.ndarray | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a new episode in every game.

        Args:
            seed: Non-negative integer: game `i` gets `seed + i`. A list or
                array [num_envs] gives each game its own, in [0, 2**31).
                `None` is the `seed` of `atari` in the first reset, and lets
                the games' randomness run on afterwards.
            options: `{"reset_mask": mask}`, a bool array of shape [num_envs],
                starts only the marked games.

        Returns:
            Observations [num_envs, height, width, frame_stack], and a
            dictionary of arrays [num_envs]: `lives`, `frame_number`,
            `episode_frame_number`.

        Raises:
            ValueError: If a seed is out of its range, or there isn't one for
                each game.
        """
        self._check_open()
        if seed is None:
            seed = self._first_seed
        if seed is not None:
            seed = check_seeds(seed, self.num_envs)
            # The emulator takes the seeds of those games that start.
            seed = seed[(options or {}).get("reset_mask", slice(None))]
        observation, info = self._emulator.reset(seed=seed, options=options)
        self._first_seed = None
        self._steps[(options or {}).get("reset_mask", slice(None))] = 0
        self._observation = observation.transpose(self._stack_last)
        return self._observation, info

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play `frame_skip` frames of every game.

        Args:
            actions: Integers of shape [num_envs], of any integer dtype.

        Returns:
            Observations [num_envs, height, width, frame_stack], and arrays
            [num_envs]: change of the score, terminated (game over), truncated
            (`max_episode_frames` reached); then the dictionary of `reset`.

        Raises:
            ValueError: If an action doesn't exist.
        """
        self._check_open()
        actions = check_discrete_actions(
            actions, self.num_envs, self.single_action_space.n
        )
        observation, reward, terminated, _, info = self._emulator.step(actions)
        self._steps += 1
        truncated = (self._steps >= self._max_steps) & ~terminated
        ended = terminated | truncated
        if truncated.any():
            final = info.get("final_obs", observation)
            final[truncated] = observation[truncated]
            observation, info = self._emulator.reset(
                options={"reset_mask": truncated}
            )
            info["final_obs"] = final
        if ended.any():
            info["final_obs"] = info["final_obs"].transpose(self._stack_last)
            info["_final_obs"] = ended
            self._steps[ended] = 0
        self._observation = observation.transpose(self._stack_last)
        return self._observation, reward, terminated, truncated, info

    def render(self) -> tuple[np.ndarray, ...]:
        """Return the newest frame of every game as RGB.

        As gymnasium's vector environments do, so that its wrappers, such as
        `gymnasium.wrappers.vector.RecordVideo`, work.

        Returns:
            A uint8 array of shape [height, width, 3] for each game; the three
            colours are equal in a grey environment.
        """
        if self._observation is None:
            raise ValueError(
                "There is nothing to render before the first `reset()`."
            )
        frames = self._observation[..., -1]
        if self.settings["grayscale"]:
            frames = np.repeat(frames[..., np.newaxis], 3, axis=-1)
        return tuple(np.array(frame, order="C") for frame in frames)

    def twin(
        self, num_envs: int = 1, seed: int | None = None, **changes: Any
    ) -> "AtariEnvironment":
        """Make another environment of the same settings.

        Use it to evaluate or to record without disturbing the games that are
        being collected. Given the same seed and the same actions, a twin plays
        the identical game, however it shows it: one with `grayscale=False,
        image_size=(210, 160), frame_stack=1` films, in the console's colours
        and resolution, what an agent does that sees small grey frames.

        Args:
            num_envs: Number of games of the twin.
            seed: Seed of the twin's first reset.
            **changes: Other arguments of `atari` that shall differ.

        Returns:
            A new `AtariEnvironment`.

        Example:

        ```python
        environment = rlk.environments.atari("space_invaders", num_envs=8)
        camera = environment.twin(
            seed=5, grayscale=False, image_size=(210, 160), frame_stack=1
        )
        camera.reset()
        print(camera.render()[0].shape)  # (210, 160, 3)
        ```
        """
        return type(self)(
            {**self.settings, "num_envs": num_envs, "seed": seed, **changes}
        )

    def close_extras(self, **kwargs: Any) -> None:
        """End the games and their threads; called by `close()`."""
        self._emulator = None

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError(
                "This environment is closed. Make another with `twin()`."
            )


@functools.cache
def _with_gymnasium_base(cls: type) -> type:
    # gymnasium is imported with the first environment, not with the package:
    # only here can its base class join.
    from gymnasium.vector import VectorEnv

    if issubclass(cls, VectorEnv):
        return cls
    names = {"__doc__": cls.__doc__, "__module__": cls.__module__}
    return type(cls.__name__, (cls, VectorEnv), names)


def _make_emulator(settings: dict[str, Any]) -> Any:
    from ale_py.vector_env import AtariVectorEnv
    from gymnasium.vector import AutoresetMode

    class Emulator(AtariVectorEnv):
        # The base class writes its reset mode into the one dictionary that
        # all vector environments share.
        metadata = {}

    height, width = settings["image_size"]
    return Emulator(
        settings["game"],
        settings["num_envs"],
        num_threads=settings["num_threads"],
        # The emulator would cut before it has looked at the last frame, and
        # leave a stale one in the final observation. `step` cuts instead.
        max_num_frames_per_episode=NEVER,
        repeat_action_probability=settings["sticky_actions"],
        full_action_space=settings["full_action_space"],
        autoreset_mode=AutoresetMode.SAME_STEP,
        img_height=height,
        img_width=width,
        grayscale=settings["grayscale"],
        stack_num=settings["frame_stack"],
        frameskip=settings["frame_skip"],
        maxpool=True,
        noop_max=settings["noop_max"],
        episodic_life=False,
        reward_clipping=False,
    )
