"""Transitions that are stored and saved: a replay buffer without data sets."""

import pathlib
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from keras_rlkit.replay.buffer import Buffer
from keras_rlkit.replay.feeding.batch_forms import Batch, to_batch
from keras_rlkit.replay.feeding.transition_feed import TransitionFeed
from keras_rlkit.replay.sampling.sampler import Sampler
from keras_rlkit.replay.sampling.sampler_config import (
    sampler_config,
    sampler_from_config,
)
from keras_rlkit.replay.sampling.uniform import Uniform
from keras_rlkit.replay.saving import buffer_file
from keras_rlkit.replay.storage.action_layout import ActionLayout
from keras_rlkit.replay.storage.action_masks import (
    add_masks,
    check_mask_size,
)
from keras_rlkit.replay.storage.carried_states import (
    add_states,
    check_sequences,
)
from keras_rlkit.replay.storage.machine_limits import check_room
from keras_rlkit.replay.storage.observation_layout import ObservationLayout
from keras_rlkit.replay.storage.step_checks import Step, check_step
from keras_rlkit.replay.storage.storage_settings import (
    Compressed,
    Disk,
    Memory,
    check_storage,
    storage_config,
    storage_from_config,
)
from keras_rlkit.replay.storage.transition_ring import TransitionRing
from keras_rlkit.utils import check_positive_integer


class TransitionMemory(Buffer):
    """Keeps the last transitions exactly, and saves them.

    All of a `ReplayBuffer` save its data sets and priorities, with the same
    arguments.
    """

    def __init__(
        self,
        capacity: int,
        observation_shape: Any,
        observation_dtype: Any,
        num_envs: int,
        frame_stack: Any,
        n_step: int,
        discount: float,
        sampler: Sampler | None,
        seed: int | None,
        num_actions: int | None,
        storage: str | Memory | Compressed | Disk,
        action_masks: bool,
        sequence_length: int | None,
        burn_in: int,
        state_shape: Sequence[tuple[int, ...]],
    ):
        super().__init__(capacity, num_envs, discount, seed)
        if num_actions is not None:
            num_actions = check_positive_integer("num_actions", num_actions)
        self._actions = ActionLayout((), num_actions)
        self._layout = ObservationLayout(
            observation_shape,
            observation_dtype,
            frame_stack,
            check_mask_size(action_masks, self._actions),
            state_shape,
        )
        self.n_step = check_positive_integer("n_step", n_step)
        sequence = check_sequences(
            sequence_length, self._layout.state_shape, burn_in
        )
        if sequence is not None and self.n_step > 1:
            raise ValueError(
                "`n_step` must be 1 with `sequence_length`: of the steps that "
                "are joined no state is known. Received: "
                f"n_step={self.n_step}, sequence_length={sequence_length}."
            )
        self.sampler = Uniform() if sampler is None else sampler
        self.storage = check_storage(storage)
        layout = {
            "capacity": self.capacity,
            "layout": self._layout,
            "num_envs": self.num_envs,
            "n_step": self.n_step,
            "storage": self.storage,
            "sequence": sequence,
        }
        size = TransitionRing.size_of(**layout)
        check_room(
            size.memory + self.sampler.size_of(self.capacity),
            size.disk,
            self.capacity,
            self.storage.path if size.disk else "",
        )
        self.sampler.start(self.capacity)
        self._ring = TransitionRing(**layout, discount=self.discount)
        #: What data sets draw from.
        self.feed = TransitionFeed(
            self._ring, self.sampler, self._generator, self._layout
        )

    def __len__(self) -> int:
        """Return how many transitions can be sampled."""
        return self._ring.size

    @property
    def observation_shape(self) -> Any:
        """Shape of one environment's observation, or a nest of shapes."""
        return self._layout.shape

    @property
    def observation_dtype(self) -> Any:
        """NumPy dtype of observations, or a nest of dtypes."""
        return self._layout.dtype

    @property
    def frame_stack(self) -> Any:
        """Length of the observations' stacks, or `None`, or a nest of such."""
        return self._layout.frame_stack

    @property
    def num_actions(self) -> int | None:
        """Number of actions, or `None` if they are not checked."""
        return self._actions.num_actions

    @property
    def action_masks(self) -> bool:
        """Whether masks of allowed actions are stored."""
        return self._layout.mask_size is not None

    @property
    def sequence_length(self) -> int | None:
        """Steps of a sequence that count, or `None` for single transitions."""
        return self._ring.sequence and self._ring.sequence[0]

    @property
    def burn_in(self) -> int:
        """Steps before each sequence that bring the state up to date."""
        return self._ring.sequence[1] if self._ring.sequence else 0

    @property
    def state_shape(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the network's state that is stored; empty for none."""
        return self._layout.state_shape

    @property
    def nbytes(self) -> int:
        """Bytes held by the buffer, in memory and on disk, all included."""
        stored = sum(array.nbytes for array in self._ring.arrays().values())
        return stored + self.sampler.size_of(self.capacity)

    def _check(
        self,
        step: tuple[Any, ...],
        action_mask: Any,
        next_action_mask: Any,
        state: Any = None,
        next_state: Any = None,
    ) -> Step:
        checked = check_step(
            step, self._layout, self._actions, self.num_envs, self.n_step
        )
        masked = add_masks(
            checked,
            self._layout.mask_size,
            self._actions,
            action_mask,
            next_action_mask,
        )
        return add_states(
            masked, self.state_shape, self.num_envs, state, next_state
        )

    def _keep(self, step: Step) -> None:
        with self.feed.changing():
            self._ring.add(step)

    def end_trajectories(self) -> None:
        """Cut every trajectory under way, as truncated.

        Call it where an environment was reset from outside: what is added next
        begins new trajectories.
        """
        with self.feed.changing():
            self._ring.end_trajectories()

    def transitions(self) -> Batch:
        """Return everything stored, oldest first, in the form of a batch.

        Returns:
            As `sample`, with `len(buffer)` rows.
        """
        with self.feed.changing():
            oldest, size = self._ring.stored
            stored = self._ring.read(np.arange(oldest, oldest + size), None)
        return to_batch(stored, self._layout)

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
        with self.feed.changing():
            oldest, _ = self._ring.stored
            return [rows - oldest for rows in self._ring.trajectories()]

    def save(self, path: str | pathlib.Path) -> None:
        """Write the whole buffer to one file, without pickles.

        Content, open n-step windows, write position, priorities and the
        generator's state are kept, so that a loaded buffer continues exactly as
        this one would.

        Args:
            path: File name. An existing file is replaced once the new one is
                complete.
        """
        header = self.get_state()
        buffer_file.write(path, header, header.pop("arrays"))

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
        header, arrays = buffer_file.read(path)
        config = header["config"]
        config["sampler"] = sampler_from_config(config["sampler"])
        config["storage"] = storage_from_config(config["storage"])
        buffer = cls(**config)
        buffer._restore({**header, "arrays": arrays}, path)
        return buffer

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue exactly.

        Batches that a data set has drawn ahead are drawn anew.

        Returns:
            Nested dictionaries of numbers, strings and the arrays themselves,
            not copies.
        """
        self.feed.forget()
        return {
            "config": self._config(),
            "counters": self._ring.counters(),
            "sampler": self.sampler.counters(),
            "generator": self._generator.bit_generator.state,
            "arrays": self._arrays(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned.

        Args:
            state: Dictionary from `get_state` of a buffer with the same
                arguments.

        Raises:
            ValueError: If the state is of a buffer with other arguments.
        """
        buffer_file.check_same_arguments(self._config(), state["config"])
        self._restore(state, None)

    def _restore(
        self, state: dict[str, Any], path: str | pathlib.Path | None
    ) -> None:
        arrays = state["arrays"]
        self.feed.forget()
        with self.feed.changing():
            self._ring.prepare(state["counters"])
            buffer_file.check_saved_arrays(path, self._arrays(), arrays)
            self._ring.restore(arrays, state["counters"])
            self.sampler.restore(arrays, state["sampler"])
            self._generator.bit_generator.state = state["generator"]

    def _arrays(self) -> dict[str, np.ndarray]:
        return {**self._ring.arrays(), **self.sampler.arrays()}

    def _config(self) -> dict[str, Any]:
        return {
            "capacity": self.capacity,
            "observation_shape": self.observation_shape,
            "observation_dtype": self._layout.nest(
                [leaf.dtype.str for leaf in self._layout.leaves]
            ),
            "num_envs": self.num_envs,
            "frame_stack": self.frame_stack,
            "n_step": self.n_step,
            "discount": self.discount,
            "sampler": sampler_config(self.sampler),
            "num_actions": self.num_actions,
            "storage": storage_config(self.storage),
            "action_masks": self.action_masks,
            "sequence_length": self.sequence_length,
            "burn_in": self.burn_in,
            "state_shape": self.state_shape,
        }
