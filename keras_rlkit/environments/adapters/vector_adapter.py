"""One interface to every gymnasium environment, single or vector."""

import warnings
from typing import Any

import numpy as np

from keras_rlkit.environments.adapters.action_batches import (
    action_batch,
    is_discrete,
)
from keras_rlkit.environments.adapters.action_masks import mask_batch
from keras_rlkit.environments.adapters.observation_arrays import (
    ObservationArrays,
)
from keras_rlkit.environments.adapters.space_checks import check_action_space
from keras_rlkit.environments.adapters.step import Step
from keras_rlkit.environments.copies.attribute_copies import (
    copy_attributes,
    copy_layers,
    restore_attributes,
)
from keras_rlkit.environments.copies.parts_inside import objects_inside
from keras_rlkit.utils import MASK_KEY, check_non_negative_integer


class VectorAdapter:
    """`num_envs` environments behind one interface; `as_vector` makes it.

    It hides whether there is one environment or several, and when and how they
    start their next episode: a loop over `step` never has to reset. Arrays that
    it returns are never changed afterwards.

    Attributes:
        environment: The gymnasium environment behind it.
        num_envs: Number of environments, and of rows in every array.
        observation_space: Space of one environment's observation.
        observation_shape: Shape of one environment's observation, a tuple; or
            a nest of shapes, as the space is a nest. A mask in the observation
            is no part of it.
        observation_dtype: `np.dtype` of observations, or a nest of such.
        action_space: Space of one environment's action.
        reads_action_masks: Whether masks are read where there are any.
        action_mask: Booleans [num_envs, A], the actions that are allowed in
            the observation returned last, as `Step.action_mask`.
        lives: Lives left in the observation returned last, as `Step.lives`.

    Example:

    ```python
    import gymnasium

    environment = rlk.environments.as_vector(
        gymnasium.make_vec("CartPole-v1", num_envs=3)
    )
    observation = environment.reset(seed=0)
    for _ in range(100):
        step = environment.step(np.random.randint(2, size=3))
        transitions = observation[step.valid], step.next_observation[step.valid]
        observation = step.observation
    environment.close()
    ```
    """

    def __init__(
        self,
        environment: Any,
        num_envs: int,
        observation_space: Any,
        action_space: Any,
        action_masks: bool = True,
    ):
        self.environment = environment
        self.num_envs = num_envs
        self.observation_space = observation_space
        self.action_space = action_space
        self.lives = None
        self.action_mask: np.ndarray | None = None
        self.reads_action_masks = action_masks
        # What the last reset showed; `None` within one.
        self._tells_masks: bool | None = None
        # Whether the state can be copied, and else the seed that it follows.
        self._copyable = True
        self._settled: dict[str, Any] = {}
        self._has_told = False
        # Classes of the objects that one just made and once reset holds.
        self._known = set(objects_inside(environment))
        self._has_begun = False
        check_action_space(action_space)
        self._arrays = ObservationArrays(observation_space)
        self.observation_shape = self._arrays.shape
        self.observation_dtype = self._arrays.dtype

    @property
    def num_actions(self) -> int:
        """Number of actions of one environment, whose actions are discrete."""
        if not is_discrete(self.action_space):
            raise ValueError(
                "`environment` must have a `Discrete` action space for this. "
                f"Received: action_space={self.action_space}. For continuous "
                'actions use `ActorCritic(distribution="gaussian")`, '
                "`EpisodeBuffer`, `CollectRollout` and `Gaussian`."
            )
        return int(self.action_space.n)

    def reset(self, seed: int | None = None) -> Any:
        """Start a new episode in every environment.

        Args:
            seed: Non-negative integer; environment `i` gets `seed + i`. `None`
                lets the environments' randomness run on.

        Returns:
            First observations, [num_envs, ...], or a nest of such.

        Raises:
            ValueError: If observations don't have the shape of their space,
                or hold numbers that its dtype can't.
            TypeError: If their dtype can't become that of the space without
                loss, as floats in a space of integers.
        """
        if seed is not None:
            seed = check_non_negative_integer("seed", seed)
        observation, info = self.environment.reset(seed=seed)
        observation, mask = self._arrays.take_mask(observation)
        observation = self._batch(observation)
        self._arrays.check_shape(observation, self.num_envs)
        info = self._told(info)
        self.lives = self._read_lives(info)
        self._tells_masks = None
        self.action_mask = self._read_mask(mask, info)
        self._tells_masks = self.action_mask is not None
        if not self._has_begun:
            self._has_begun = True
            self._known |= set(objects_inside(self.environment))
        return observation

    def step(self, actions: Any) -> Step:
        """Act once in every environment.

        Args:
            actions: [num_envs, ...], or a nest of such as the space is one.
                Discrete actions are integers that count from 0, also where the
                environment's own count from elsewhere. Those of a `Box` are
                clipped to its bounds.

        Returns:
            A `Step`.

        Raises:
            ValueError: If the actions don't fit the action space, or what the
                environment returns doesn't fit its observation space.
            TypeError: As `reset`.
        """
        raise NotImplementedError

    def settle(self, seed: int) -> Any:
        """Bring the environments into a state that `get_state` can tell.

        Environments whose whole state is numbers and arrays, as gymnasium's
        classic control and toy text, single or in a `SyncVectorEnv`, are left
        as they are. Others (emulators, physics engines, other processes)
        begin new episodes, now and at each later call; what their wrappers
        keep from one episode to the next, such as running statistics, goes on.
        The first time, a warning says what in them can't be copied.

        Args:
            seed: Seed of the new episodes.

        Returns:
            Their first observations, or `None` if there are no new episodes.
        """
        state, left_out = copy_layers(self.environment, self._known)
        if left_out and not self._has_told:
            self._has_told = True
            _tell(left_out)
        if self._copyable and not left_out:
            return None
        self._copyable = False
        # As it is before the reset, which the resumed one makes as well.
        self._settled = {"seed": seed}
        if state is not None:
            self._settled["layers"] = state
        return self.reset(seed)

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue exactly.

        Call it right after `settle`.

        Returns:
            Nested dictionaries of numbers, strings and arrays.
        """
        if not self._copyable:
            return self._settled
        return {
            "environment": copy_attributes(self.environment),
            "adapter": self._own_state(),
        }

    def set_state(self, state: dict[str, Any]) -> Any:
        """Continue from a state that `get_state` returned.

        Args:
            state: Dictionary from `get_state` of an environment that was made
                in the same way.

        Returns:
            First observations where new episodes had begun, else `None`.

        Raises:
            ValueError: If the state is of another kind of environment.
        """
        if not self._has_begun:
            # Some parts are made in the first reset.
            self.reset()
        if "seed" in state:
            self._copyable = False
            self._settled = state
            if "layers" in state:
                restore_attributes(self.environment, state["layers"])
            return self.reset(state["seed"])
        restore_attributes(self.environment, state["environment"])
        self._restore_own_state(state["adapter"])
        return None

    def as_observation(self, saved: Any) -> Any:
        """Return an observation that was saved in the form of the space.

        Args:
            saved: The same nest of arrays, maybe with lists for tuples.
        """
        return self._arrays.cast(saved, copy=True)

    def render(self) -> np.ndarray:
        """Return what environment 0 looks like now.

        Returns:
            RGB frame, uint8 of shape [height, width, 3].

        Raises:
            ValueError: If the environment doesn't render to arrays.
        """
        if self.environment.render_mode != "rgb_array":
            raise ValueError(
                '`environment` must be made with `render_mode="rgb_array"` '
                "to be rendered, as in `gymnasium.make(name, "
                'render_mode="rgb_array")`; Atari games of '
                "`keras_rlkit.environments.atari` always are. "
                f"Received: render_mode={self.environment.render_mode!r}."
            )
        frame = self._frame_of_first(self.environment.render())
        if frame.ndim != 3 or frame.shape[-1] != 3 or frame.dtype != np.uint8:
            raise ValueError(
                "`environment` must render uint8 frames of shape "
                f"[height, width, 3]. Received: shape {frame.shape} and dtype "
                f"{frame.dtype}."
            )
        return frame

    def close(self) -> None:
        """Release what the environments hold: processes, threads, windows."""
        self.environment.close()

    def _actions(self, actions: Any) -> Any:
        return action_batch(actions, self.action_space, self.num_envs)

    def _read_mask(self, mask: Any, info: dict[str, Any]) -> Any:
        """Return the mask of an observation, or `None` if nobody tells."""
        if not self.reads_action_masks or (
            mask is None and MASK_KEY not in info and not self._tells_masks
        ):
            return None
        everywhere = mask is not None or np.all(info.get(f"_{MASK_KEY}", True))
        mask = info.get(MASK_KEY) if mask is None else mask
        told = mask is not None
        if (told and not everywhere) or self._tells_masks not in (None, told):
            raise ValueError(
                "`environment` must tell `action_mask` with every observation "
                "of every environment, from the first reset on, or with none. "
                f"Received: an info with the keys {sorted(info)}. Masks are "
                "ignored with `rlk.environments.as_vector(environment, "
                "action_masks=False)`."
            )
        if not told:
            return None
        return mask_batch(mask, self.action_space, self.num_envs)

    def _rows(self, name: str, values: Any, dtype: Any) -> np.ndarray:
        # Some environments return arrays of one where a number is meant.
        array = np.array(values, dtype)
        if array.size != self.num_envs:
            raise ValueError(
                f"`environment` must return one `{name}` for each of its "
                f"{self.num_envs} environment(s). Received: {name} of shape "
                f"{array.shape}."
            )
        return array.reshape(self.num_envs)

    def _own_state(self) -> dict[str, Any]:
        return {"lives": self.lives, "action_mask": self.action_mask}

    def _restore_own_state(self, state: dict[str, Any]) -> None:
        for name in ("lives", "action_mask"):
            value = state[name]
            setattr(self, name, None if value is None else np.array(value))

    def _told(self, info: Any) -> dict[str, Any]:
        """Return an info as one dictionary."""
        return info

    def _batch(self, observation: Any) -> Any:
        raise NotImplementedError

    def _read_lives(self, info: dict[str, Any]) -> np.ndarray | None:
        raise NotImplementedError

    def _frame_of_first(self, rendered: Any) -> np.ndarray:
        raise NotImplementedError


def _tell(left_out: list[str]) -> None:
    layers = " and ".join(what.partition(".")[0] for what in left_out)
    warnings.warn(
        f"A save can't hold all of the environment: {', '.join(left_out)}. "
        "So each save begins new episodes, whether training is interrupted or "
        "not (save less often than episodes end, with `every`), and after a "
        f"resume {layers} has forgotten what it keeps from one episode to the "
        "next. Everything else in the environment goes on as it was.",
        stacklevel=2,
    )
