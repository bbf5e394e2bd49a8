"""Films an episode every few epochs."""

import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_rlkit.callbacks.environment_players import (
    find_players,
    get_policy_state,
    register_player,
    set_policy_state,
)
from keras_rlkit.callbacks.episode_statistics import true_returns
from keras_rlkit.callbacks.evaluate_policy import EvaluatePolicy
from keras_rlkit.environments import VectorAdapter, as_vector, filmed_copy
from keras_rlkit.environments.copies.wrapper_state import take_over
from keras_rlkit.environments.film.film_step import film_step
from keras_rlkit.policies import Gaussian, Greedy
from keras_rlkit.policies.acting import act
from keras_rlkit.policies.carried_state import acting_model, go_on
from keras_rlkit.utils import check_choice, check_positive_integer

FORMATS = ("gif", "mp4")
DEFAULT_FRAMES_PER_SECOND = 30


class RecordEpisode(keras.callbacks.Callback):
    """Writes a film of one whole episode every few epochs.

    Without `environment` it films a copy of the environment that the
    `EvaluatePolicy` (or else the collecting callback) of the same `fit` plays
    in; the played environment is left alone. The copy has the same wrappers,
    with the running statistics that those of the played one have at that
    moment; only what shows or records (`gymnasium.wrappers.RecordVideo`) is
    left out. In Atari the film has the console's colours.

    The last frame shows how the episode ended. Only a vector environment in
    `SAME_STEP` mode that isn't a `SyncVectorEnv` has begun the next episode
    by then: there, the film ends before the last step.

    Args:
        folder: Where films go, as `epoch_0010.gif`. Made if it is missing.
        every_epochs: Positive integer, epochs from one film to the next.
            Defaults to 1.
        environment: Environment to play and film in, made with
            `render_mode="rgb_array"`, or `None`. Defaults to `None`.
        policy: Called as `policy(model, observations, step)`, or `None` for
            the evaluation's policy, else `Greedy()`, or where actions aren't
            discrete the collecting callback's policy (of a `Gaussian`, the
            means). Defaults to `None`.
        file_format: `"gif"` or `"mp4"`. Defaults to `"gif"`.
        max_steps: Positive integer, environment steps after which the film
            ends although the episode goes on. Defaults to 5,000.

    Raises:
        ValueError: If an argument is out of its range, or there is no
            environment to film or no policy for its actions.

    Example:

    ```python
    import gymnasium

    film = rlk.callbacks.RecordEpisode(
        "videos/",
        environment=gymnasium.make("CartPole-v1", render_mode="rgb_array"),
        max_steps=20,
    )
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    film.record(network, "videos/untrained.gif")
    ```
    """

    def __init__(
        self,
        folder: str | pathlib.Path,
        every_epochs: int = 1,
        environment: Any = None,
        policy: Callable | None = None,
        file_format: str = "gif",
        max_steps: int = 5_000,
    ):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.every_epochs = check_positive_integer("every_epochs", every_epochs)
        self.environment = (
            None if environment is None else as_vector(environment)
        )
        self.policy = policy
        # What the environment is a copy of; whether the policy is another's.
        self._played: VectorAdapter | None = None
        self._borrows = False
        self.file_format = check_choice("file_format", file_format, FORMATS)
        self.max_steps = check_positive_integer("max_steps", max_steps)

    def set_model(self, model: keras.Model) -> None:
        """Take the model that `fit` trains."""
        super().set_model(model)
        register_player(model, self, saved=False)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Find what to film before the training has cost time."""
        self._find(self.model)
        self.folder.mkdir(parents=True, exist_ok=True)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Film if it is time."""
        if (epoch + 1) % self.every_epochs == 0:
            name = f"epoch_{epoch + 1:04d}.{self.file_format}"
            self.record(self.model, self.folder / name)

    def record(self, model: keras.Model, path: str | pathlib.Path) -> float:
        """Film one episode now.

        Args:
            model: Any model that the policy can act with.
            path: File name; its ending decides the format.

        Returns:
            The episode's score as far as it was filmed.
        """
        environment, policy = self._find(model)
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._played is not None:
            take_over(environment, self._played)
        # Whose policy it is doesn't notice.
        state = get_policy_state(policy) if self._borrows else None
        observation = environment.reset()
        acting = acting_model(model, environment.num_envs)
        frames, score = [environment.render()], 0.0
        for steps in range(self.max_steps):
            # Only the first environment of a vector is seen.
            mask = environment.action_mask
            action = act(policy, acting, observation, steps, mask)
            step, frame = film_step(environment, action)
            go_on(acting, observation, step)
            score += float(step.reward[0])
            if frame is not None:
                frames.append(frame)
            if step.terminated[0] or step.truncated[0]:
                score = true_returns(
                    np.full(environment.num_envs, score), step.episode_return
                )[0]
                break
            observation = step.to_act_on(observation)
        set_policy_state(policy, state)
        _write(path, frames, _frames_per_second(environment))
        return float(score)

    def _find(self, model: keras.Model) -> tuple[VectorAdapter, Callable]:
        players = find_players(model)
        evaluations = [p for p in players if isinstance(p, EvaluatePolicy)]
        if self.environment is None and players:
            self._played = (evaluations + players)[0].environment
            self.environment = filmed_copy(self._played)
        if self.environment is None:
            raise ValueError(
                "`environment` must be given where no other callback of the "
                "same `fit` plays in one. Received: environment=None."
            )
        if self.policy is None:
            self.policy = self._choose_policy(evaluations, players)
        return self.environment, self.policy

    def _choose_policy(self, evaluations: list, players: list) -> Callable:
        space = self.environment.action_space
        if not evaluations and hasattr(space, "n") and space.shape == ():
            return Greedy()
        if not players:
            raise ValueError(
                "`policy` must be given where actions aren't discrete and no "
                "other callback of the same `fit` has one. Received: "
                f"policy=None with action_space={space}."
            )
        policy = (evaluations + players)[0].policy
        if not evaluations and isinstance(policy, Gaussian):
            return Gaussian(stochastic=False, action_space=policy.action_space)
        self._borrows = True
        return policy


def _frames_per_second(environment: VectorAdapter) -> float:
    metadata = environment.environment.metadata
    return float(metadata.get("render_fps") or DEFAULT_FRAMES_PER_SECOND)


def _write(path: pathlib.Path, frames: list[np.ndarray], rate: float) -> None:
    import imageio.v3 as iio

    frames = np.stack(frames)
    if path.suffix == ".gif":
        iio.imwrite(path, frames, duration=1000 / rate, loop=0)
    else:
        # The codec wants even sizes: odd ones are scaled, even ones stay.
        iio.imwrite(path, frames, fps=rate, macro_block_size=2)
