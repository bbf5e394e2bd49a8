"""A replay buffer in a file, and its state for whoever saves it."""

import json
import pathlib
from typing import Any, Self

import numpy as np

from keras_rlkit.replay.sampling.prioritized import Prioritized
from keras_rlkit.replay.sampling.uniform import Uniform
from keras_rlkit.replay.saving import buffer_file
from keras_rlkit.replay.storage.storage_settings import (
    storage_config,
    storage_from_config,
)
from keras_rlkit.utils import check_choice

SAMPLERS = {"Uniform": Uniform, "Prioritized": Prioritized}


class BufferState:
    """What saves a `ReplayBuffer` and loads it again."""

    def save(self, path: str | pathlib.Path) -> None:
        """Write the whole buffer to one file, without pickles.

        Content, open n-step windows, write position, priorities and the
        generator's state are kept, so that a loaded buffer continues exactly as
        this one would.

        Args:
            path: File name. An existing file is replaced once the new one is
                complete.
        """
        self.settle()
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
        sampler = config.pop("sampler")
        check_choice("sampler", sampler["name"], SAMPLERS)
        sampler = SAMPLERS[sampler["name"]].from_config(sampler["config"])
        storage = storage_from_config(config.pop("storage"))
        buffer = cls(**config, sampler=sampler, storage=storage)
        buffer._restore({**header, "arrays": arrays}, path)
        return buffer

    def settle(self) -> None:
        """Finish or forget what was begun ahead, so that `get_state` is whole.

        Batches that a data set has drawn ahead are drawn anew.
        """
        self._worker.settle()
        self.draws_forgotten += 1

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue exactly.

        Call it right after `settle`.

        Returns:
            Nested dictionaries of numbers, strings and the arrays themselves,
            not copies.
        """
        return {
            "config": self._config(),
            "counters": self._store.counters(),
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
        expected = json.loads(json.dumps(self._config()))
        received = json.loads(json.dumps(state["config"]))
        if expected != received:
            other = [n for n in expected if expected[n] != received.get(n)]
            raise ValueError(
                "The state must be of a buffer with the same arguments: "
                f"{ {name: expected[name] for name in other} }. Received: a "
                f"state with { {name: received.get(name) for name in other} }."
            )
        self.settle()
        self._restore(state, None)

    def _restore(
        self, state: dict[str, Any], path: str | pathlib.Path | None
    ) -> None:
        arrays = state["arrays"]
        self._store.prepare(state["counters"])
        buffer_file.check_arrays(path, self._arrays(), arrays)
        with self._lock:
            self._store.restore(arrays, state["counters"])
            self.sampler.restore(arrays, state["sampler"])
            self._generator.bit_generator.state = state["generator"]

    def _arrays(self) -> dict[str, np.ndarray]:
        return {**self._store.arrays(), **self.sampler.arrays()}

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
            "storage": storage_config(self.storage),
        }
