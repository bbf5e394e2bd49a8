"""On-policy memory: what the policy of this epoch did, and nothing older."""

from typing import Any, Self

import numpy as np

from keras_rlkit.replay.epoch_supply import EpochSupply
from keras_rlkit.replay.storage.rollout_samples import (
    Evaluate,
    Samples,
    make_samples,
    standardized,
)
from keras_rlkit.replay.storage.step_checks import Step, check_step, spaces_of
from keras_rlkit.utils import (
    cast_values,
    casts_in_kind,
    check_fraction,
    check_positive_integer,
    make_generator,
)


class EpisodeBuffer(EpochSupply):
    """Keeps the episodes of one epoch, for policy gradients through `fit`.

    `CollectEpisodes` (whole episodes) or `CollectRollout` (a number of steps)
    fills it at the beginning of each epoch. Its data set then gives that
    epoch's data, each sample once per pass, and nothing of earlier epochs.

    Without `lambda_`, a batch is `(observation, action, weight)`, the weight
    being the discounted return from that step on: the form for
    `PolicyGradientLoss` and any Keras model. With `lambda_`, a batch is what
    `ActorCritic` trains on, with values and generalized advantage estimates.

    `terminated` ends a return. `truncated` (a time limit) does not: the future
    that was not played counts with the value of the last observation, if the
    model has a value. If it has none, the future counts as if the episode's
    mean reward went on for ever, mean / (1 - discount), which is right for a
    pole that would stay up, and closer than 0 wherever an episode was cut
    while it went on as usual; with `discount=1` it counts 0.

    Args:
        discount: Number in [0, 1], the discount factor gamma of one step.
        standardize: Whether weights, or advantages, are shifted and scaled to
            mean 0 and standard deviation 1 over the epoch. Equal ones, such
            as a single step's, become 0. Defaults to `False`.
        lambda_: Number in [0, 1], lambda of generalized advantage estimation,
            for a model that has a value: 1 is the return less the value, 0
            the one-step temporal difference. `None` gives plain returns.
            Defaults to `None`.
        observation_shape: Shape of one observation. Needed by `dataset` and
            `batches`; `for_environment` knows it. Defaults to `None`.
        observation_dtype: Dtype of observations. Defaults to `"float32"`.
        num_envs: Positive integer N, environments that play together.
            Defaults to 1.
        action_shape: Shape of one action: `()` for discrete actions, `(D,)`
            for continuous ones. Defaults to `()`.
        num_actions: Number of discrete actions, to check them, or `None`.
        capacity: Positive integer, the most transitions an epoch may have.
            Defaults to 1,000,000.
        seed: Non-negative integer for the order of minibatches, or `None` to
            follow `keras.utils.set_random_seed`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    import gymnasium

    environment = gymnasium.make("CartPole-v1")
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, discount=0.99, standardize=True
    )
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("adam", loss=rlk.losses.PolicyGradientLoss())
    model.fit(
        buffer.batches(),
        epochs=2,
        callbacks=[
            rlk.callbacks.CollectEpisodes(
                environment,
                buffer,
                rlk.policies.Categorical(),
                episodes_per_epoch=2,
            )
        ],
        verbose=0,
    )
    ```

    Reference:
        Williams, Simple Statistical Gradient-Following Algorithms for
        Connectionist Reinforcement Learning,
        https://doi.org/10.1007/BF00992696; advantages: Schulman et al.,
        High-Dimensional Continuous Control Using Generalized Advantage
        Estimation, https://arxiv.org/abs/1506.02438; time limits: Pardo et
        al., Time Limits in Reinforcement Learning, section 2.2,
        https://arxiv.org/abs/1712.00378
    """

    def __init__(
        self,
        discount: float,
        standardize: bool = False,
        lambda_: float | None = None,
        observation_shape: tuple[int, ...] | None = None,
        observation_dtype: str | np.dtype = "float32",
        num_envs: int = 1,
        action_shape: tuple[int, ...] = (),
        num_actions: int | None = None,
        capacity: int = 1_000_000,
        seed: int | None = None,
    ):
        self.discount = check_fraction("discount", discount)
        self.standardize = bool(standardize)
        if lambda_ is not None:
            lambda_ = check_fraction("lambda_", lambda_)
        self.lambda_ = lambda_
        if observation_shape is not None:
            observation_shape = tuple(int(size) for size in observation_shape)
        self.observation_shape = observation_shape
        self.observation_dtype = np.dtype(observation_dtype)
        self.num_envs = check_positive_integer("num_envs", num_envs)
        self.action_shape = tuple(int(size) for size in action_shape)
        self.action_dtype = np.dtype(np.float32 if action_shape else np.int32)
        self.num_actions = num_actions
        if num_actions is not None:
            check_positive_integer("num_actions", num_actions)
        self.capacity = check_positive_integer("capacity", capacity)
        self._generator = make_generator(seed)
        self.generation = 0
        self._start()

    @classmethod
    def for_environment(
        cls, environment: Any, discount: float, **arguments: Any
    ) -> Self:
        """Make a buffer that fits an environment.

        Args:
            environment: Any gymnasium environment or vector environment with
                one array as observation, and `Discrete` or one-dimensional
                `Box` actions.
            discount: Number in [0, 1].
            **arguments: Further arguments of `EpisodeBuffer`.

        Returns:
            A buffer with the environment's shapes and number of environments.

        Raises:
            ValueError: If a space of the environment does not fit.

        Example:

        ```python
        import gymnasium

        buffer = rlk.replay.EpisodeBuffer.for_environment(
            gymnasium.make("Pendulum-v1"), discount=0.9, lambda_=0.95
        )
        buffer.action_shape  # (1,)
        ```
        """
        return cls(discount, **{**_read_spaces(environment), **arguments})

    @property
    def gives(self) -> str:
        """What models learn from that it belongs to."""
        return "returns" if self.lambda_ is None else "advantages"

    def __len__(self) -> int:
        """Return how many transitions this epoch has so far."""
        return self._size

    def __repr__(self) -> str:
        """Say what it holds, and what `fit` takes instead of it."""
        return (
            f"<{type(self).__name__} of {self.gives} with {len(self):,} "
            "transitions; `fit` takes its data: `dataset()`, or `batches()` "
            "without TensorFlow>"
        )

    def clear(self) -> None:
        """Forget everything and begin a new epoch."""
        self.generation += 1
        self._start()

    def add(
        self,
        observation: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        next_observation: np.ndarray,
        valid: np.ndarray | None = None,
    ) -> None:
        """Store one step of every environment.

        Steps come in order: where a row is not valid, or is the last one, its
        environment's trajectory was cut. Arrays are kept, not copied: don't
        write into them before `finish`.

        Args:
            observation: Array [N, *observation_shape], acted on.
            action: Integers [N], or floats [N, *action_shape] as the policy
                drew them.
            reward: Finite numbers [N].
            terminated: Booleans [N], terminal state reached.
            truncated: Booleans [N], episode cut by a limit.
            next_observation: Array [N, *observation_shape], what followed; at
                an episode's end its true final observation.
            valid: Booleans [N], `False` for a row that is not to be stored.
                Defaults to all `True`.

        Raises:
            ValueError: If an argument has the wrong shape, dtype or values, or
                the buffer is full. Nothing is stored then, and nothing stored
                is lost.
        """
        if self._used:
            self.clear()
        shape = self.observation_shape
        if shape is None:
            shape = np.shape(observation)[1:]
        whole = np.zeros(self.num_envs, np.int32)
        step = check_step(
            (
                observation,
                whole if self.action_shape else action,
                reward,
                terminated,
                truncated,
                next_observation,
                valid,
            ),
            (self.num_envs, *shape),
            self.observation_dtype,
            self.num_actions,
        )
        if self.action_shape:
            step = step._replace(action=self._check_continuous(action))
        size = self._size + int(np.count_nonzero(step.valid))
        if size > self.capacity:
            raise ValueError(
                f"`capacity` must hold a whole epoch. Received: capacity="
                f"{self.capacity} with {size} transitions before the epoch's "
                "last episode has ended. Raise it, collect less in an epoch, "
                "or give the environment a time limit, as in "
                "`gymnasium.wrappers.TimeLimit`."
            )
        self.observation_shape = shape
        self._steps.append(step)
        self._size = size
        self._samples = None

    def finish(
        self, evaluate: Evaluate | None = None, reward_scale: float = 1.0
    ) -> None:
        """End the epoch's collecting: work out returns and advantages.

        Args:
            evaluate: Called once as `evaluate(observations, actions)` with
                all M transitions of the epoch and, after them, the states
                whose future was not played (with actions of 0). Returns their
                values [M + F] and the log-probabilities of the actions
                [M + F], or `None` for the latter. Without it there are no
                values.
            reward_scale: Number that all rewards of the epoch are multiplied
                by. Defaults to 1.

        Raises:
            ValueError: If the epoch is empty, values are missing or not
                finite.
        """
        if not self._size:
            raise ValueError(
                "An epoch must have at least one transition. Received: 0. "
                "Collect with `CollectEpisodes` or `CollectRollout`, or `add` "
                "steps before training. A model made under a `tf.distribute` "
                "strategy asks for data before anything can be collected: "
                "make it outside of the strategy's scope."
            )
        if self.lambda_ is not None and evaluate is None:
            raise ValueError(
                "`lambda_` needs a model with a value, such as "
                f"`ActorCritic`. Received: lambda_={self.lambda_} and no "
                "values. Use `lambda_=None` for plain returns."
            )
        samples = make_samples(
            self._steps, self.discount, self.lambda_, evaluate, reward_scale
        )
        if self.standardize:
            name = "returns" if self.lambda_ is None else "advantage"
            weight = standardized(getattr(samples, name))
            samples = samples._replace(**{name: weight})
        self._samples = samples

    def finish_if_open(self) -> None:
        """Call `finish` unless that has been done since the last `add`."""
        if self._samples is None:
            self.finish()

    def settle(self) -> None:
        """Do nothing: all of the state between two epochs is the generator."""

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue with the next epoch.

        An epoch's data are not part of it: the next one has its own.

        Returns:
            Dictionary that JSON can hold.
        """
        return {"generator": self._generator.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned.

        Args:
            state: Dictionary from `get_state`.
        """
        self.clear()
        self._generator.bit_generator.state = state["generator"]

    def _start(self) -> None:
        self._steps: list[Step] = []
        self._samples: Samples | None = None
        self._size = 0
        self._used = False

    def _check_continuous(self, action: Any) -> np.ndarray:
        action = np.asarray(action)
        shape = (self.num_envs, *self.action_shape)
        if (
            action.shape != shape
            or not casts_in_kind(action.dtype, self.action_dtype)
            or not np.isfinite(action).all()
        ):
            raise ValueError(
                f"`action` must be finite numbers of shape {shape}. "
                f"Received: action={action}."
            )
        return cast_values("action", action, self.action_dtype)


def _read_spaces(environment: Any) -> dict[str, Any]:
    num_envs, observations, actions = spaces_of(environment)
    # `MultiBinary` has an `n` too.
    discrete = hasattr(actions, "n") and actions.shape == ()
    continuous = hasattr(actions, "low") and len(actions.shape) == 1
    if not discrete and not continuous:
        raise ValueError(
            "`environment` must have `Discrete` or one-dimensional `Box` "
            f"actions. Received: action_space={actions}. Flatten them in a "
            "wrapper."
        )
    return {
        "observation_shape": observations.shape,
        "observation_dtype": observations.dtype,
        "num_envs": num_envs,
        "action_shape": () if discrete else actions.shape,
        "num_actions": int(actions.n) if discrete else None,
    }
