"""The replay buffer: stores transitions, gives batches."""

import threading
from typing import Any, Self

import numpy as np

from keras_rlkit.replay.batch_supply import BatchSupply
from keras_rlkit.replay.buffer_state import BufferState
from keras_rlkit.replay.feeding.background_worker import BackgroundWorker
from keras_rlkit.replay.feeding.batch_forms import frames_first, frames_of
from keras_rlkit.replay.sampling.sampler import Sampler
from keras_rlkit.replay.sampling.uniform import Uniform
from keras_rlkit.replay.storage.capacity_plan import plan, plan_for_environment
from keras_rlkit.replay.storage.machine_limits import check_disk, check_memory
from keras_rlkit.replay.storage.step_checks import (
    check_dtype,
    check_shape,
    check_space,
    check_step,
)
from keras_rlkit.replay.storage.storage_settings import (
    Compressed,
    Disk,
    Memory,
    check_storage,
)
from keras_rlkit.replay.storage.transition_ring import TransitionRing
from keras_rlkit.utils import (
    check_fraction,
    check_positive_integer,
    make_generator,
)


class ReplayBuffer(BatchSupply, BufferState):
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
        Methods, https://doi.org/10.1038/nature14236
    """

    # What models learn from that it belongs to.
    gives = "transitions"

    def __init__(
        self,
        capacity: int,
        observation_shape: tuple[int, ...],
        observation_dtype: str | np.dtype,
        num_envs: int = 1,
        frame_stack: int | None = None,
        n_step: int = 1,
        discount: float = 0.99,
        sampler: Sampler | None = None,
        seed: int | None = None,
        num_actions: int | None = None,
        storage: str | Memory | Compressed | Disk = "memory",
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
        self._stack, self._frame_shape = frames_of(
            self.observation_shape, self.frame_stack
        )
        self.storage = check_storage(storage)
        layout = {
            "capacity": self.capacity,
            "frame_shape": self._frame_shape,
            "frame_dtype": self.observation_dtype,
            "num_envs": self.num_envs,
            "stack": self._stack,
            "n_step": self.n_step,
            "storage": self.storage,
        }
        size = TransitionRing.size_of(**layout)
        check_memory(
            size.memory + self.sampler.size_of(self.capacity), self.capacity
        )
        if size.disk:
            check_disk(size.disk, self.capacity, self.storage.path)
        self.sampler.start(self.capacity)
        self._store = TransitionRing(**layout, discount=self.discount)
        self._generator = make_generator(seed)
        self._worker = BackgroundWorker()
        # A data set may be read ahead by threads that are not ours.
        self._lock = threading.Lock()
        self._largest_batch = 1
        self._seconds_waited = 0.0
        self._device_frames = None
        # Small batches are drawn together where `fit` takes them together; a
        # collector says how many these are.
        self.batches_per_execution = 1
        # How often data sets were told to forget what they have drawn ahead.
        self.draws_forgotten = 0

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

    plan = staticmethod(plan)
    plan_for_environment = staticmethod(plan_for_environment)

    def __len__(self) -> int:
        """Return how many transitions can be sampled."""
        return self._store.size

    def __repr__(self) -> str:
        """Say what it holds, and what `fit` takes instead of it."""
        return (
            f"<{type(self).__name__} with {len(self):,} of {self.capacity:,} "
            "transitions; `fit` takes its data: `dataset(32)`, or "
            "`batches(32)` without TensorFlow>"
        )

    @property
    def nbytes(self) -> int:
        """Bytes held by the buffer, in memory and on disk, all included."""
        stored = sum(array.nbytes for array in self._store.arrays().values())
        return stored + self.sampler.size_of(self.capacity)

    @property
    def has_priorities(self) -> bool:
        """Whether batches have `"index"`, for `update_priorities`."""
        return self.sampler.weighs

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
            self.n_step,
        )
        step = step._replace(
            observation=frames_first(step.observation, self.frame_stack),
            next_observation=frames_first(
                step.next_observation, self.frame_stack
            ),
        )
        self._worker.settle()
        with self._lock:
            self._store.add(step)

    def trajectories(self) -> list[np.ndarray]:
        """Return which of the stored transitions follow each other.

        Returns:
            For each trajectory the rows of its transitions in what
            `transitions` returns, in the order of time, integers.

        Raises:
            ValueError: If transitions join several steps, `n_step` above 1.
        """
        if self.n_step > 1:
            raise ValueError(
                "`n_step` must be 1 for single steps to be read back. "
                f"Received: a buffer with n_step={self.n_step}."
            )
        self._worker.settle()
        with self._lock:
            oldest, _ = self._stored()
            return [rows - oldest for rows in self._store.trajectories()]

    def priorities(self) -> np.ndarray:
        """Return the priorities of everything stored, oldest first.

        Returns:
            float64 [len(buffer)]. The probability of a transition is its
            priority divided by the sum of all.

        Raises:
            ValueError: If the sampler keeps no priorities.
        """
        self._worker.settle()
        with self._lock:
            return self.sampler.priorities(*self._stored())

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
        self._worker.settle()
        with self._lock:
            self.sampler.update(index, td_error, *self._stored())

    def end_trajectories(self) -> None:
        """Cut every trajectory under way, as truncated.

        Call it where an environment was reset from outside: what is added next
        begins new trajectories.
        """
        self._worker.settle()
        with self._lock:
            self._store.end_trajectories()

    def _stored(self) -> tuple[int, int]:
        """Return the number of the oldest transition, and how many follow."""
        return self._store.added - self._store.size, self._store.size
