"""The replay buffer: stores transitions, gives batches."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from keras_rlkit.replay.feeding.batch_forms import Batch
from keras_rlkit.replay.feeding.py_dataset import Batches
from keras_rlkit.replay.feeding.tf_dataset import make_transition_dataset
from keras_rlkit.replay.sampling.sampler import Sampler
from keras_rlkit.replay.storage.capacity_plan import (
    plan,
    plan_for_environment,
)
from keras_rlkit.replay.storage.environment_spaces import (
    read_transition_spaces,
)
from keras_rlkit.replay.storage.storage_settings import (
    Compressed,
    Disk,
    Memory,
)
from keras_rlkit.replay.transition_memory import TransitionMemory


class ReplayBuffer(TransitionMemory):
    """Stores what an agent lived through and gives it back in batches.

    The memory of off-policy learning. It takes one step of N environments at
    a time, keeps the last `capacity` transitions, and feeds `fit` through
    `dataset` (TensorFlow) or `batches` (any backend).

    Each frame of an observation is stored once, in its own dtype, however
    many stacks and transitions it belongs to. A transition is exact: its
    observations are those that were added, never across two episodes, and the
    `next_observation` of an episode's last step is the true final one. Time
    limits (`truncated`) keep their bootstrap, terminal states lose it: both
    are expressed by the batch's `discount`, which is gamma to the power of
    the steps taken, or 0.

    Memory is allocated at once, save with compression; `ReplayBuffer.plan`
    says beforehand how much. Episodes' final observations need room of their
    own: 2.5 % more frames than `capacity` are kept for them, or, for
    observations up to 512 bytes, enough for any episode length. Where
    episodes are so short that this does not suffice, the oldest transitions
    make room, so that `len(buffer)` stays a little below `capacity`.

    An observation that isn't the same environment's last `next_observation`,
    with no end in between, begins a new trajectory; the old one is treated as
    truncated.

    Args:
        capacity: Positive integer, transitions to keep.
        observation_shape: Shape of one environment's observation; where that
            is a dictionary or tuple of arrays, the same nest of shapes.
        observation_dtype: NumPy dtype of observations, e.g. `"uint8"`, or a
            nest of dtypes.
        num_envs: Positive integer, environments N that are stepped together.
            Defaults to 1.
        frame_stack: Length k of the stack on the last axis of an observation,
            oldest frame first, or `None` if observations are no stacks. For
            a nest, a nest too, such as `{"image": 4}`; keys of arrays that are
            no stacks may be left out. Defaults to `None`.
        n_step: Positive integer, environment steps joined into one
            transition. Defaults to 1.
        discount: Number in [0, 1], discount factor gamma of one environment
            step. Defaults to 0.99.
        sampler: How transitions are drawn, `Uniform()` or `Prioritized()`.
            Defaults to `Uniform()`.
        seed: Non-negative integer for the draws. `None` follows
            `keras.utils.set_random_seed`.
        num_actions: Number of actions, to refuse actions out of range, or
            `None` not to check. Defaults to `None`.
        storage: Where frames are kept: `"memory"`, `"compressed"` (in memory,
            without loss) or `"disk"`, or `Memory()`, `Compressed(...)` or
            `Disk(...)`. Batches are the same bit for bit. Defaults to
            `"memory"`.
        action_masks: Whether masks of allowed actions are stored with
            observations, and are part of batches. Needs `num_actions`.
            Defaults to `False`.
        sequence_length: Positive integer T: batches are sequences of T steps
            for a recurrent network, each within one trajectory and beginning
            at any of its steps. `None` gives single transitions. Defaults to
            `None`.
        burn_in: Non-negative integer b, steps before each sequence that bring
            the network's state up to date, and of which nothing is learned.
            Defaults to 0.
        state_shape: Shapes of the network's carried state, `agent.state_shape`.
            Needs `sequence_length`, and is needed by it. Defaults to `()`.

    Raises:
        ValueError: If an argument is out of its range.
        MemoryError: If the machine's available memory can't hold the buffer.
        OSError: If the disk of `storage` can't.
        ImportError: If the package that compresses is missing.

    Example:

    ```python
    replay = rlk.replay.ReplayBuffer(
        capacity=10_000, observation_shape=(4,), observation_dtype="float32"
    )
    observation = np.zeros((1, 4), "float32")
    for step in range(100):
        next_observation = observation + 1
        replay.add(
            observation,
            action=np.array([step % 2]),
            reward=np.array([1.0]),
            terminated=np.array([False]),
            truncated=np.array([step == 99]),
            next_observation=next_observation,
        )
        observation = next_observation
    observation, rest = replay.sample(batch_size=32)
    observation.shape, rest["reward"].shape  # (32, 4), (32,)
    ```

    Reference:
        Mnih et al., Human-level control through deep reinforcement learning,
        Methods, https://doi.org/10.1038/nature14236; sequences: Kapturowski et
        al., Recurrent Experience Replay in Distributed Reinforcement
        Learning, https://openreview.net/forum?id=r1lyTjAqYX
    """

    # What models learn from that it belongs to.
    gives = "transitions"
    _data_sets = "`dataset(32)`, or `batches(32)` without TensorFlow"

    def __init__(
        self,
        capacity: int,
        observation_shape: Any,
        observation_dtype: Any,
        num_envs: int = 1,
        frame_stack: Any = None,
        n_step: int = 1,
        discount: float = 0.99,
        sampler: Sampler | None = None,
        seed: int | None = None,
        num_actions: int | None = None,
        storage: str | Memory | Compressed | Disk = "memory",
        action_masks: bool = False,
        sequence_length: int | None = None,
        burn_in: int = 0,
        state_shape: Sequence[tuple[int, ...]] = (),
    ):
        super().__init__(
            capacity,
            observation_shape,
            observation_dtype,
            num_envs,
            frame_stack,
            n_step,
            discount,
            sampler,
            seed,
            num_actions,
            storage,
            action_masks,
            sequence_length,
            burn_in,
            state_shape,
        )

    @classmethod
    def for_environment(
        cls, environment: Any, capacity: int, **arguments: Any
    ) -> Self:
        """Make a buffer that fits an environment.

        Args:
            environment: Any gymnasium environment or vector environment with
                discrete actions, whose observations are one array or
                dictionaries and tuples of arrays.
            capacity: Positive integer, transitions to keep.
            **arguments: Further arguments of `ReplayBuffer`. Where a key
                `"action_mask"` of the observation holds the mask,
                `action_masks` is `True` by itself.

        Returns:
            A buffer with the environment's observation shape and dtype,
            number of environments and number of actions.

        Raises:
            ValueError: If a space of the environment does not fit.

        Example:

        ```python
        import gymnasium

        environment = gymnasium.make("CartPole-v1")
        replay = rlk.replay.ReplayBuffer.for_environment(environment, 10_000)
        ```
        """
        spaces = read_transition_spaces(environment)
        return cls(capacity, **{**spaces, **arguments})

    plan = staticmethod(plan)
    plan_for_environment = staticmethod(plan_for_environment)

    @property
    def has_priorities(self) -> bool:
        """Whether batches have `"index"`, for `update_priorities`."""
        return self.sampler.weighs

    def sample(self, batch_size: int) -> Batch:
        """Draw one batch, as NumPy arrays.

        Args:
            batch_size: Positive integer B, at most `len(buffer)`.

        Returns:
            A tuple `(observation, rest)`. `observation` is an array
            [B, *observation_shape], or a nest of arrays; `rest` is a dictionary
            with `action` (int32 [B]), `reward` (float32 [B], the discounted sum
            over n steps), `discount` (float32 [B], 0 where the episode
            terminated) and `next_observation`, as `observation`; with
            `action_masks` also `action_mask` and `next_action_mask`, booleans
            [B, A], of the one and the other. A third item,
            `sample_weight` (float32 [B]), and `index` in the dictionary come
            with samplers that weigh. With `sequence_length`, observations are
            `rlk.utils.RecurrentInput`, or with `burn_in` `BurnInInput`, arrays
            of the dictionary [B, T, ...], and its `mask`, booleans [B, T],
            tells which steps are there. Observations may share memory with each
            other: copy before you write into them.

        Raises:
            ValueError: If the buffer is empty or holds fewer than
                `batch_size` transitions.
        """
        return self.feed.sample(batch_size)

    def dataset(self, batch_size: int, prefetch: int | None = None) -> Any:
        """Return an endless `tf.data.Dataset` of batches, for `fit`.

        Batches are drawn while the model trains. What each is drawn from
        depends on the order of calls alone, so the same seeds give the same
        training, bit for bit. Where `CollectSteps` fills the buffer, batches of
        vectors are drawn for a whole execution of `fit` at once, on
        TensorFlow: the same batches, with fewer calls.

        Args:
            batch_size: Positive integer B.
            prefetch: How many batches to draw ahead, in a thread of its own.
                `None` chooses 1 for batches of 256 KiB or more and 0 else.

        Returns:
            A `tf.data.Dataset` with the elements of `sample`, as tensors of
            static shapes. While the buffer is empty the first elements are
            zeros, so that a model can be built from them.
        """
        return make_transition_dataset(self.feed, batch_size, prefetch)

    def batches(self, batch_size: int, prefetch: int | None = None) -> Any:
        """Return an endless `keras.utils.PyDataset` of batches, for `fit`.

        As `dataset`, without TensorFlow. For the JAX and PyTorch backends: on
        TensorFlow Keras itself draws ahead, as far as its speed allows, so
        that two runs differ. Use `dataset` there.

        With JAX on an accelerator, batches are made on the device, eight at
        once, eight ahead. Frames of stacks live there beside the buffer, if
        they take at most half of the memory that is left.

        Args:
            batch_size: Positive integer B.
            prefetch: How many batches to draw ahead, in a thread of its own.
                `None` chooses 1 for batches of 256 KiB or more and 0 else; any
                number keeps JAX' batches in the memory of the processor.

        Returns:
            A `keras.utils.PyDataset` with the elements of `sample`, as JAX'
            arrays where they are made on its device.
        """
        return Batches(self, batch_size, prefetch)

    def priorities(self) -> np.ndarray:
        """Return the priorities of everything stored, oldest first.

        Returns:
            float64 [len(buffer)]. The probability of a transition is its
            priority divided by the sum of all.

        Raises:
            ValueError: If the sampler keeps no priorities.
        """
        with self.feed.changing():
            return self.sampler.priorities(*self._ring.stored)

    def update_priorities(
        self, index: np.ndarray, td_error: np.ndarray
    ) -> None:
        """Set priorities of transitions, by how wrong their values were.

        `CollectSteps` calls this for every transition that a model was trained
        on. A transition that was overwritten since it was sampled is passed
        over: the one now in its place keeps its own priority. Of a transition
        that comes more than once, the last TD error counts.

        Args:
            index: Integers [M], `"index"` of sampled batches. They may be given
                modulo 2**31, as models on 32-bit backends have them, while no
                batch is older than that many transitions.
            td_error: Finite numbers [M], the differences between target and
                Q(s, a); their absolute values are taken.

        Raises:
            ValueError: If an argument has the wrong shape, dtype or values, or
                the sampler keeps no priorities.
        """
        with self.feed.changing():
            self.sampler.update(index, td_error, *self._ring.stored)
