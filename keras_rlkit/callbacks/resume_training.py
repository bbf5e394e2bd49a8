"""Saves a whole training, so that it goes on as if never interrupted."""

import pathlib
import random
import sys
from typing import Any

import keras
import numpy as np

from keras_rlkit.callbacks.callback_states import (
    get_callback_states,
    has_stopped,
    set_callback_states,
)
from keras_rlkit.callbacks.environment_players import find_players
from keras_rlkit.callbacks.missing_scores import find_siblings
from keras_rlkit.callbacks.model_state import get_model_state, set_model_state
from keras_rlkit.replay.saving.save_folder import SaveFolder
from keras_rlkit.utils import check_positive_integer, make_generator

SEED_LIMIT = 2**30


class ResumeTraining(keras.callbacks.Callback):
    """Saves the whole training and resumes it, bit for bit.

    Put it first in the list of callbacks. When `fit` begins and the folder
    holds a save, everything is set to what it was then, and `fit` goes on with
    the epoch after it, up to `epochs`. Start the same script again after a
    crash, and it ends with the weights it would have had without one. A
    training that has reached `epochs` returns at once; a larger `epochs` goes
    on with it. Remove the folder to begin anew.

    Saved are: the weights of all networks, the optimizer, the seed generators
    of Keras layers; the `History`; of every callback of this library in the
    same `fit` its counters, its scores, its policy and its environment; the
    content, open n-step windows, sampler, priorities and generator of their
    buffers; and the global generators of Python and NumPy. Metrics begin anew
    in each epoch anyhow. Of other callbacks in the same `fit`: what Keras'
    `ModelCheckpoint`, `EarlyStopping` and `ReduceLROnPlateau` remember, so
    that the best model of all is kept and a training that was stopped stays
    stopped; and the state of those of your own that have `get_state` and
    `set_state`, nested dictionaries and lists of numbers, strings and arrays.
    Give `CSVLogger` `append=True`: it begins a new file otherwise.

    An environment is saved exactly where its whole state is numbers, arrays,
    random generators (those of its spaces too), and objects, collections and
    functions that hold nothing else: gymnasium's classic control and toy text
    and environments like them, single, wrapped or in a `SyncVectorEnv`, with
    the running statistics of their wrappers. Others (`rlk.environments.atari`,
    physics engines, an `AsyncVectorEnv`, one that renders into a window) can't
    be copied: there each save begins new episodes, whether training is ever
    interrupted or not, and those under way are cut as truncated and have no
    score. Save less often than episodes end. Wrappers around such an
    environment that can be copied, such as `NormalizeObservation`, are saved
    all the same; at the first save a warning says what is left out.

    A save is complete or doesn't exist, whatever kills the process, and writes
    only what has changed since the save before. The last two saves are kept;
    if a file of the last one is damaged, the one before is resumed, with a
    warning. Files are JSON and plain numbers; loading them runs no code.

    Resumed training is the same bit for bit on the CPU of the same machine,
    with the same versions, on TensorFlow with `ReplayBuffer.dataset` and on
    JAX with `ReplayBuffer.batches`, as far as training itself is reproducible:
    networks, policies and environments draw from their own seeded generators.

    Args:
        folder: Folder of the saves of this training; made if it is missing.
        every: Positive integer, a save each time so many epochs have ended,
            and one at the end of training. Defaults to 1.
        buffer: Buffer to save if no collecting callback has it, as in training
            from stored data. Defaults to `None`.
        seed: Non-negative integer for the episodes that saves begin. `None`
            follows `keras.utils.set_random_seed`.

    Raises:
        ValueError: If an argument is out of its range; in `fit`, if the save
            is of another model, buffer, environment or set of callbacks, of a
            newer version, or if all saves are damaged.
        OSError: In `fit`, if a save can't be written, as on a full disk. The
            save before it is intact.

    Example:

    ```python
    import gymnasium

    environment = gymnasium.make("CartPole-v1")
    replay = rlk.replay.ReplayBuffer.for_environment(environment, 1_000)
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    agent = rlk.models.DoubleDQN(network)
    agent.compile(optimizer="adam", loss="huber")
    agent.fit(
        replay.dataset(batch_size=32),
        epochs=2,
        steps_per_epoch=10,
        callbacks=[
            rlk.callbacks.ResumeTraining("saves"),
            rlk.callbacks.CollectSteps(
                environment,
                replay,
                rlk.policies.EpsilonGreedy(0.1),
                steps_per_update=4,
                warmup_steps=100,
            ),
        ],
        verbose=0,
    )
    ```
    """

    def __init__(
        self,
        folder: str | pathlib.Path,
        every: int = 1,
        buffer: Any = None,
        seed: int | None = None,
    ):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.every = check_positive_integer("every", every)
        self.buffer = buffer
        self._saves = SaveFolder(folder)
        self._generator = make_generator(seed)
        self._history: dict[str, Any] | None = None
        self._watchers: list[keras.callbacks.Callback] = []
        self._watcher_states: list[dict[str, Any]] = []
        # Epochs that had ended when the last save was written or read.
        self._saved = 0
        self._ended = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Resume the last save, if there is one."""
        self._saved = self._ended = 0
        self._history = None
        self._watchers = self._others()
        state = self._saves.read()
        if state is not None:
            self._set_state(state)
            self._saved = self._ended = state["epoch"]
            stopped = has_stopped(self._watchers, self._watcher_states)
            # Keras looks at it once all callbacks have begun.
            self.model._initial_epoch = (
                sys.maxsize if stopped else state["epoch"]
            )

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Save, if it is time: everything of the last epoch is done."""
        self._restore_the_past()
        if self._ended > self._saved and self._ended % self.every == 0:
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Count epochs."""
        self._ended = epoch + 1

    def on_train_end(self, logs: dict | None = None) -> None:
        """Save what came after the last save."""
        self._restore_the_past()
        if self._ended > self._saved:
            self._save()

    def _save(self) -> None:
        for player in self._players():
            player.settle(int(self._generator.integers(SEED_LIMIT)))
        self._saves.write(self._get_state())
        self._saved = self._ended

    def _get_state(self) -> dict[str, Any]:
        history = self.model.history
        return {
            "epoch": self._ended,
            "model": get_model_state(self.model),
            "callbacks": [p.get_state() for p in self._players()],
            "watchers": get_callback_states(self._watchers),
            "buffers": [b.get_state() for b in self._buffers()],
            "parts": self._parts(),
            "history": {"epoch": history.epoch, "logs": history.history},
            "generator": self._generator.bit_generator.state,
            "python": random.getstate(),
            "numpy": np.random.get_state(legacy=False),
        }

    def _set_state(self, state: dict[str, Any]) -> None:
        if state["parts"] != self._parts():
            raise ValueError(
                f"`folder` must hold a training with {self._parts()}. "
                f"Received: folder={str(self.folder)!r}, saved with "
                f"{state['parts']}. Take another folder for another training."
            )
        try:
            set_model_state(self.model, state["model"])
            for buffer, saved in zip(
                self._buffers(), state["buffers"], strict=True
            ):
                buffer.set_state(saved)
            for player, saved in zip(
                self._players(), state["callbacks"], strict=True
            ):
                player.set_state(saved)
        except ValueError as error:
            raise ValueError(
                "`folder` must hold a save of this training. Received: "
                f"folder={str(self.folder)!r}, whose save doesn't fit. {error} "
                "Take another folder for another training."
            ) from error
        self._history = state["history"]
        # Older saves have none.
        self._watcher_states = state.get("watchers", [])
        self._generator.bit_generator.state = state["generator"]
        version, words, gauss = state["python"]
        random.setstate((version, tuple(words), gauss))
        np.random.set_state(state["numpy"])

    def _players(self) -> list[keras.callbacks.Callback]:
        # Callbacks of one `fit` share one dictionary.
        players = find_players(self.model)[::-1]
        return [p for p in players if p.params is self.params]

    def _others(self) -> list[keras.callbacks.Callback]:
        known = [self, *self._players()]
        return [s for s in find_siblings(self) if s not in known]

    def _buffers(self) -> list[Any]:
        buffers = [getattr(p, "buffer", None) for p in self._players()]
        buffers.append(self.buffer)
        return list({id(b): b for b in buffers if b is not None}.values())

    def _parts(self) -> dict[str, list[str]]:
        return {
            "callbacks": [type(part).__name__ for part in self._players()],
            "buffers": [type(part).__name__ for part in self._buffers()],
        }

    def _restore_the_past(self) -> None:
        """Put back what callbacks empty when training begins."""
        if self._history is None:
            return
        self.model._initial_epoch = None
        self.model.history.epoch = self._history["epoch"]
        self.model.history.history = self._history["logs"]
        set_callback_states(self._watchers, self._watcher_states)
        self._history = None
