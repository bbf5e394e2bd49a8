"""On-policy memory: what the policy of this epoch did, and nothing older."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np

from keras_rlkit.replay.epoch_memory import EpochMemory
from keras_rlkit.replay.feeding.batch_forms import Batch
from keras_rlkit.replay.feeding.py_dataset import EpochBatches
from keras_rlkit.replay.feeding.tf_dataset import make_epoch_dataset
from keras_rlkit.replay.storage.environment_spaces import read_episode_spaces


class EpisodeBuffer(EpochMemory):
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
    mean reward went on for ever, mean / (1 - discount), and with `discount=1`
    as 0.

    Where a row is not valid, or is the last one, its environment's trajectory
    was cut. Arrays are kept, not copied: don't write into them meanwhile.

    Args:
        discount: Number in [0, 1], the discount factor gamma of one step.
        standardize: Whether weights, or advantages, are shifted and scaled to
            mean 0 and standard deviation 1 over the epoch. Equal ones, such
            as a single step's, become 0. Defaults to `False`.
        lambda_: Number in [0, 1], lambda of generalized advantage estimation,
            for a model that has a value: 1 is the return less the value, 0
            the one-step temporal difference. `None` gives plain returns.
            Defaults to `None`.
        observation_shape: Shape of one observation, or a nest of shapes where
            it is a dictionary or tuple of arrays. Needed by `dataset` and
            `batches`; `for_environment` knows it. Defaults to `None`.
        observation_dtype: Dtype of observations, or a nest of dtypes. Defaults
            to `"float32"`.
        num_envs: Positive integer N, environments that play together.
            Defaults to 1.
        action_shape: Shape of one action: `()` for one choice, `(D,)` for D
            choices or numbers, or a nest of shapes. Defaults to `()`.
        num_actions: How many there are to choose from: an integer, a tuple for
            several choices, `None` for numbers (or for one choice that isn't
            checked), or a nest like `action_shape`. Defaults to `None`.
        capacity: Positive integer, the most transitions an epoch may have.
            Defaults to 1,000,000.
        seed: Non-negative integer for the order of minibatches, or `None` to
            follow `keras.utils.set_random_seed`.
        action_masks: Whether masks of allowed actions are stored with
            observations, and are part of batches. Needs `num_actions` and
            `lambda_`. Defaults to `False`.
        sequence_length: Positive integer T: batches are sequences of T steps
            for a recurrent network. `None` gives single steps. Defaults to
            `None`.
        state_shape: Shapes of the network's carried state, `agent.state_shape`.
            Needs `sequence_length`, and is needed by it. Defaults to `()`.

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

    _data_sets = "`dataset()`, or `batches()` without TensorFlow"

    def __init__(
        self,
        discount: float,
        standardize: bool = False,
        lambda_: float | None = None,
        observation_shape: Any = None,
        observation_dtype: Any = "float32",
        num_envs: int = 1,
        action_shape: Any = (),
        num_actions: Any = None,
        capacity: int = 1_000_000,
        seed: int | None = None,
        action_masks: bool = False,
        sequence_length: int | None = None,
        state_shape: Sequence[tuple[int, ...]] = (),
    ):
        super().__init__(
            discount,
            standardize,
            lambda_,
            observation_shape,
            observation_dtype,
            num_envs,
            action_shape,
            num_actions,
            capacity,
            seed,
            action_masks,
            sequence_length,
            state_shape,
        )

    @classmethod
    def for_environment(
        cls, environment: Any, discount: float, **arguments: Any
    ) -> Self:
        """Make a buffer that fits an environment.

        Args:
            environment: Any gymnasium environment or vector environment whose
                observations are nests of arrays, actions of such of one axis.
            discount: Number in [0, 1].
            **arguments: Further arguments; `action_masks` is `True` by itself
                where a key `"action_mask"` of the observation holds the mask.

        Returns:
            A buffer with the environment's shapes and number of environments.

        Raises:
            ValueError: If a space does not fit.

        Example:

        ```python
        import gymnasium
        buffer = rlk.replay.EpisodeBuffer.for_environment(
            gymnasium.make("Pendulum-v1"), discount=0.9, lambda_=0.95
        )
        buffer.action_shape  # (1,)
        ```
        """
        return cls(
            discount, **{**read_episode_spaces(environment), **arguments}
        )

    def samples(self) -> Batch:
        """Return all of this epoch's data as one batch, in order of time.

        Returns:
            `(observation, action, weight)`: [M, *observation_shape], or a nest
            of such; int32 [M] or float32 [M, *action_shape]; float32 [M]. With
            `lambda_`, the second item is a dictionary of `action`, with
            `action_masks` of `action_mask`, booleans [M, A], of `advantage`,
            `value_target` (the lambda return), `value` and `log_probability`,
            the latter four float32 [M] from the policy that acted, and the
            third is the weight of each row: 1. With `sequence_length`, rows
            are sequences: `rlk.utils.RecurrentInput` and arrays [S, T, ...],
            with `mask`, booleans [S, T], of the steps that are there.
        """
        size = len(self.feed)
        return self.feed.gather(np.arange(size), size)

    def dataset(
        self, minibatches: int = 1, passes: int = 1, pad: bool | None = None
    ) -> Any:
        """Return a finite `tf.data.Dataset` of each epoch's data, for `fit`.

        Args:
            minibatches: Positive integer, minibatches that an epoch's data
                are split into, in a new random order for each pass; there is
                one gradient step for each. Their number is fixed, their size
                is not, since epochs of whole episodes differ. Defaults to 1.
            passes: Positive integer, how often an epoch goes through its
                data. More than 1 is for losses that allow it, such as PPO's.
                Defaults to 1.
            pad: Whether batches are filled up to one of few sizes (powers of
                two and the middles between) with rows of weight 0 (without
                `lambda_` -0.0, by which `PolicyGradientLoss` leaves them out
                of its entropy bonus). The mean of a loss stays what it is,
                since the other weights grow in proportion; with the reduction
                `"sum"` use `False`. `None` does it on JAX, which compiles for
                each size anew.

        Returns:
            A `tf.data.Dataset` with elements as `samples` has, for one `fit`.

        Raises:
            ValueError: If an argument is out of its range, or the shape of
                observations is not known.
        """
        return make_epoch_dataset(self.feed, minibatches, passes, _padding(pad))

    def batches(
        self, minibatches: int = 1, passes: int = 1, pad: bool | None = None
    ) -> Any:
        """Return a finite `keras.utils.PyDataset` of each epoch's data.

        As `dataset`, without TensorFlow: for the JAX and PyTorch backends.

        Args:
            minibatches: As in `dataset`.
            passes: As in `dataset`.
            pad: As in `dataset`.

        Returns:
            A `keras.utils.PyDataset` with elements as `samples` has.
        """
        return EpochBatches(self, minibatches, passes, _padding(pad))


def _padding(pad: bool | None) -> bool:
    return keras.backend.backend() == "jax" if pad is None else bool(pad)
