"""The replay buffer: stores transitions, gives batches."""

import concurrent.futures
import pathlib
import threading
from typing import Any, Self

import numpy as np

from keras_rlkit.replay import saving
from keras_rlkit.replay.batch import Batch, Draw, to_batch
from keras_rlkit.replay.checks import (
    check_dtype,
    check_shape,
    check_space,
    check_step,
)
from keras_rlkit.replay.memory import check_memory
from keras_rlkit.replay.transition_store import TransitionStore
from keras_rlkit.replay.uniform import Uniform
from keras_rlkit.replay.worker import Worker
from keras_rlkit.utils import (
    check_choice,
    check_fraction,
    check_positive_integer,
    make_generator,
)

SAMPLERS = {"Uniform": Uniform}


class ReplayBuffer:
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

    Memory is allocated at once. Episodes' final observations need room of
    their own: 2.5 % more frames than `capacity` are kept for them, or, for
    observations up to 512 bytes, enough for any episode length. Where
    episodes are so short that this does not suffice, the oldest transitions
    make room, so that `len(buffer)` stays a little below `capacity`.

    Args:
        capacity: Positive integer, transitions to keep.
        observation_shape: Shape of one environment's observation.
        observation_dtype: NumPy dtype of observations, e.g. `"uint8"`.
        num_envs: Positive integer, environments N that are stepped together.
            Defaults to 1.
        frame_stack: Length k of the stack on the last axis of an observation,
            oldest frame first, or `None` if observations are no stacks.
            Defaults to `None`.
        n_step: Positive integer, environment steps joined into one
            transition. Defaults to 1.
        discount: Number in [0, 1], discount factor gamma of one environment
            step. Defaults to 0.99.
        sampler: How transitions are drawn. Defaults to `Uniform()`.
        seed: Non-negative integer for the draws. `None` follows
            `keras.utils.set_random_seed`.
        num_actions: Number of actions, to refuse actions out of range, or
            `None` not to check. Defaults to `None`.

    Raises:
        ValueError: If an argument is out of its range.
        MemoryError: If the machine's available memory can't hold the buffer.

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
        Methods, https://doi.org/10.1038/nature14236
    """

    def __init__(
        self,
        capacity: int,
        observation_shape: tuple[int, ...],
        observation_dtype: str | np.dtype,
        num_envs: int = 1,
        frame_stack: int | None = None,
        n_step: int = 1,
        discount: float = 0.99,
        sampler: Any | None = None,
        seed: int | None = None,
        num_actions: int | None = None,
    ):
        self.capacity = check_positive_integer("capacity", capacity)
        self.observation_shape = check_shape(observation_shape)
        self.observation_dtype = check_dtype(observation_dtype)
        self.num_envs = check_positive_integer("num_envs", num_envs)
        self.frame_stack = (
            None
            if frame_stack is None
            else check_positive_integer("frame_stack", frame_stack)
        )
        self.n_step = check_positive_integer("n_step", n_step)
        self.discount = check_fraction("discount", discount)
        self.sampler = Uniform() if sampler is None else sampler
        self.num_actions = (
            None
            if num_actions is None
            else check_positive_integer("num_actions", num_actions)
        )
        self._stack, self._frame_shape = self._frames_of_an_observation()
        layout = {
            "capacity": self.capacity,
            "frame_shape": self._frame_shape,
            "frame_dtype": self.observation_dtype,
            "num_envs": self.num_envs,
            "stack": self._stack,
            "n_step": self.n_step,
        }
        check_memory(TransitionStore.size_of(**layout), self.capacity)
        self._store = TransitionStore(**layout, discount=self.discount)
        self._generator = make_generator(seed)
        self._worker = Worker()
        # A data set may be read ahead by threads that are not ours.
        self._lock = threading.Lock()
        self._largest_batch = 1

    @classmethod
    def for_environment(
        cls, environment: Any, capacity: int, **arguments: Any
    ) -> Self:
        """Make a buffer that fits an environment.

        Args:
            environment: Any gymnasium environment or vector environment with
                one array as observation and discrete actions.
            capacity: Positive integer, transitions to keep.
            **arguments: Further arguments of `ReplayBuffer`.

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
        shape, dtype, num_envs, num_actions = check_space(environment)
        return cls(
            capacity,
            shape,
            dtype,
            **{"num_envs": num_envs, "num_actions": num_actions, **arguments},
        )

    def __len__(self) -> int:
        """Return how many transitions can be sampled."""
        return self._store.size

    @property
    def nbytes(self) -> int:
        """Bytes held by the buffer, bookkeeping included."""
        return sum(array.nbytes for array in self._store.arrays().values())

    @property
    def ready(self) -> bool:
        """Whether the largest batch asked of `dataset` or `batches` is in."""
        return len(self) >= self._largest_batch

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

        An observation that isn't the same environment's last
        `next_observation`, with no end in between, begins a new trajectory;
        the old one is treated as truncated.

        Args:
            observation: Array [N, *observation_shape], acted on.
            action: Integers [N].
            reward: Finite numbers [N].
            terminated: Booleans [N], terminal state reached.
            truncated: Booleans [N], episode cut by a limit.
            next_observation: Array [N, *observation_shape], what followed; at
                an episode's end its true final observation, not the first one
                of the next.
            valid: Booleans [N], `False` for a row in which nothing happened
                since the environment only reset itself; such rows are not
                stored. Defaults to all `True`.

        Raises:
            ValueError: If an argument has the wrong shape, dtype or values.
                Nothing is stored then, and nothing stored is lost.
        """
        step = check_step(
            (
                observation,
                action,
                reward,
                terminated,
                truncated,
                next_observation,
                valid,
            ),
            (self.num_envs, *self.observation_shape),
            self.observation_dtype,
            self.num_actions,
        )
        step = step._replace(
            observation=self._frames_first(step.observation),
            next_observation=self._frames_first(step.next_observation),
        )
        self._worker.settle()
        with self._lock:
            self._store.add(step)

    def sample(self, batch_size: int) -> Batch:
        """Draw one batch, as NumPy arrays.

        Args:
            batch_size: Positive integer B, at most `len(buffer)`.

        Returns:
            A tuple `(observation, rest)`. `observation` is an array
            [B, *observation_shape]; `rest` is a dictionary with `action`
            (int32 [B]), `reward` (float32 [B], the discounted sum over n
            steps), `discount` (float32 [B], 0 where the episode terminated)
            and `next_observation` [B, *observation_shape]. A third item,
            `sample_weight` (float32 [B]), and `index` in the dictionary come
            with samplers that weigh. Observations may share memory with each
            other: copy before you write into them.

        Raises:
            ValueError: If the buffer is empty or holds fewer than
                `batch_size` transitions.
        """
        batch_size = check_positive_integer("batch_size", batch_size)
        self._worker.settle()
        return self._draw(batch_size, copy=False)

    def transitions(self) -> Batch:
        """Return everything stored, oldest first, in the form of a batch.

        Returns:
            As `sample`, with `len(buffer)` rows.
        """
        store = self._store
        stored = np.arange(store.added - store.size, store.added)
        return to_batch(store.read(stored, None), self.frame_stack, False)

    def dataset(self, batch_size: int, prefetch: int | None = None) -> Any:
        """Return an endless `tf.data.Dataset` of batches, for `fit`.

        Batches are drawn while the model trains. What each is drawn from
        depends on the order of calls alone, so the same seeds give the same
        training, bit for bit.

        Args:
            batch_size: Positive integer B.
            prefetch: How many batches to draw ahead, in a thread of its own.
                `None` chooses 1 for batches of 256 KiB or more and 0 else.

        Returns:
            A `tf.data.Dataset` with the elements of `sample`, as tensors of
            static shapes. While the buffer is empty the first elements are
            zeros, so that a model can be built from them.
        """
        from keras_rlkit.replay.tf_dataset import make_dataset

        return make_dataset(self, self._note_batch_size(batch_size), prefetch)

    def batches(self, batch_size: int, prefetch: int | None = None) -> Any:
        """Return an endless `keras.utils.PyDataset` of batches, for `fit`.

        As `dataset`, without TensorFlow. For the JAX and PyTorch backends: on
        TensorFlow Keras itself draws ahead, as far as its speed allows, so
        that two runs differ. Use `dataset` there.

        Args:
            batch_size: Positive integer B.
            prefetch: How many batches to draw ahead, in a thread of its own.
                `None` chooses 1 for batches of 256 KiB or more and 0 else.

        Returns:
            A `keras.utils.PyDataset` with the elements of `sample`.
        """
        from keras_rlkit.replay.batches import Batches

        return Batches(self, self._note_batch_size(batch_size), prefetch)

    def draw(self, batch_size: int) -> Batch:
        """Draw one batch as `sample` does, in contiguous arrays.

        What `dataset` and `batches` are made of; `sample` is faster.

        Args:
            batch_size: Positive integer B, at most `len(buffer)`.

        Returns:
            As `sample`.
        """
        self._worker.settle()
        return self._draw(batch_size, copy=True)

    def draw_later(self, batch_size: int) -> concurrent.futures.Future:
        """Draw one batch in the background, from what is stored now.

        Args:
            batch_size: Positive integer B.

        Returns:
            A future whose result is that of `draw`. Whatever changes the
            buffer waits until it has been drawn.
        """
        return self._worker.submit(self._draw, batch_size, True)

    def blank(self, batch_size: int) -> Batch:
        """Return zeros in the form of `draw`, whatever is stored.

        Args:
            batch_size: Positive integer B.

        Returns:
            As `sample`.
        """
        shape = (2 * self._stack, batch_size, *self._frame_shape)
        zeros = np.zeros(batch_size, np.float32)
        draw = Draw(
            np.zeros(shape, self.observation_dtype),
            np.zeros(batch_size, np.int32),
            zeros,
            zeros,
            np.zeros(batch_size, np.int64),
            None,
        )
        return to_batch(draw, self.frame_stack, copy=True)

    def save(self, path: str | pathlib.Path) -> None:
        """Write the whole buffer to one file, without pickles.

        Content, open n-step windows, write position and the generator's state
        are kept, so that a loaded buffer continues exactly as this one would.

        Args:
            path: File name. An existing file is replaced once the new one is
                complete.
        """
        self._worker.settle()
        header = {
            "config": self._config(),
            "counters": self._store.counters(),
            "generator": self._generator.bit_generator.state,
        }
        saving.write(path, header, self._store.arrays())

    @classmethod
    def load(cls, path: str | pathlib.Path) -> Self:
        """Read a buffer that `save` wrote. Runs no code from the file.

        Args:
            path: File name.

        Returns:
            A buffer equal to the one saved.

        Raises:
            ValueError: If the file is no complete buffer of this version.
        """
        header, arrays = saving.read(path)
        config = header["config"]
        sampler = config.pop("sampler")
        check_choice("sampler", sampler["name"], SAMPLERS)
        sampler = SAMPLERS[sampler["name"]](**sampler["config"])
        buffer = cls(**config, sampler=sampler)
        saving.check_arrays(path, buffer._store.arrays(), arrays)
        buffer._store.restore(arrays, header["counters"])
        buffer._generator.bit_generator.state = header["generator"]
        return buffer

    def _draw(self, batch_size: int, copy: bool) -> Batch:
        with self._lock:
            size = len(self)
            if size < batch_size:
                raise ValueError(
                    "`batch_size` must be at most the number of transitions "
                    f"stored, {size}. Received: batch_size={batch_size}. Add "
                    "transitions first, e.g. with a larger `warmup_steps` of "
                    "`CollectSteps`."
                )
            oldest = self._store.added - size
            index, weight = self.sampler.draw(
                self._generator, oldest, size, batch_size
            )
            draw = self._store.read(index, weight)
        return to_batch(draw, self.frame_stack, copy)

    def _note_batch_size(self, batch_size: int) -> int:
        batch_size = check_positive_integer("batch_size", batch_size)
        if batch_size > self.capacity:
            raise ValueError(
                "`batch_size` must be at most the buffer's capacity, "
                f"{self.capacity}. Received: batch_size={batch_size}."
            )
        self._largest_batch = max(self._largest_batch, batch_size)
        return batch_size

    def _frames_of_an_observation(self) -> tuple[int, tuple[int, ...]]:
        stack = self.frame_stack
        if stack is None:
            return 1, self.observation_shape
        if self.observation_shape[-1:] != (stack,):
            raise ValueError(
                "`frame_stack` must be the size of the observation's last "
                f"axis. Received: frame_stack={stack} with "
                f"observation_shape={self.observation_shape}."
            )
        return stack, self.observation_shape[:-1]

    def _frames_first(self, observation: np.ndarray) -> np.ndarray:
        if self.frame_stack is None:
            return observation[:, None]
        return np.moveaxis(observation, -1, 1)

    def _config(self) -> dict[str, Any]:
        return {
            "capacity": self.capacity,
            "observation_shape": self.observation_shape,
            "observation_dtype": self.observation_dtype.str,
            "num_envs": self.num_envs,
            "frame_stack": self.frame_stack,
            "n_step": self.n_step,
            "discount": self.discount,
            "sampler": {
                "name": type(self.sampler).__name__,
                "config": self.sampler.get_config(),
            },
            "num_actions": self.num_actions,
        }
