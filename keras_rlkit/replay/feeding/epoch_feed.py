"""Gathers batches from the samples of an on-policy epoch."""

import numpy as np

from keras_rlkit.replay.feeding.batch_forms import Batch
from keras_rlkit.replay.storage.epoch_samples import Samples
from keras_rlkit.replay.storage.epoch_sequences import Sequences
from keras_rlkit.replay.storage.epoch_steps import EpochSteps
from keras_rlkit.utils import RecurrentInput


class EpochFeed:
    """What data sets draw the data of an epoch from.

    Args:
        steps: Where the epoch is.
        generator: Source of randomness for the order of minibatches.
    """

    def __init__(
        self,
        steps: EpochSteps,
        generator: np.random.Generator,
    ):
        self._steps = steps
        self._generator = generator

    def __len__(self) -> int:
        """Return how many samples, or sequences, the epoch has so far."""
        if self._steps.sequence_length is None or not self._steps.size:
            return self._steps.size
        return len(self._steps.finished().sequences.mask)

    @property
    def generation(self) -> int:
        """Number of the epoch."""
        return self._steps.generation

    def finish_if_open(self) -> None:
        """Make the samples unless that has been done since the last step."""
        self._steps.finished()

    def gather(self, rows: np.ndarray, size: int) -> Batch:
        """Return some of the epoch's samples as a batch.

        Args:
            rows: Integers [M], numbers of the samples.
            size: Rows of the batch. Beyond M they repeat the others with
                weight 0.

        Returns:
            A batch as `EpisodeBuffer.samples` gives.
        """
        samples = self._steps.finished()
        filled = np.zeros(size, np.float32)
        filled[: len(rows)] = size / len(rows)
        return self._batch(samples, np.resize(rows, size), filled)

    def blank(self, size: int) -> Batch:
        """Return zeros in the form of `gather`, whatever is stored.

        Args:
            size: Rows of the batch.
        """
        if self._steps.forms.layout is None:
            raise ValueError(
                "`observation_shape` must be known before there are data. "
                "Received: observation_shape=None. Make the buffer with "
                "`EpisodeBuffer.for_environment`, or give the shape."
            )
        zeros = np.zeros(size, np.float32)
        length = self._steps.sequence_length
        sequences = None
        if length is not None:
            sequences = Sequences(
                np.zeros((size, length), int), np.ones((size, length), bool)
            )
        blank = Samples(
            self._steps.forms.layout.zeros(size),
            self._steps.forms.actions.zeros(size),
            *[zeros] * 4,
            sequences,
        )
        return self._batch(blank, np.arange(size), zeros)

    def shuffled(self, size: int) -> np.ndarray:
        """Return the integers below `size` in a random order."""
        return self._generator.permutation(size)

    def note_used(self) -> None:
        """Let the next step begin a new epoch: this one is trained on."""
        self._steps.used = True

    def _batch(self, samples: Samples, rows: np.ndarray, filled: np.ndarray):
        mask = None
        if samples.sequences is not None:
            mask = samples.sequences.mask[rows]
            rows = samples.sequences.index[rows]
        observation, beside = self._steps.forms.layout.split(
            [leaf[rows] for leaf in samples.observation]
        )
        action = self._steps.forms.actions.nest(
            [
                array[rows].astype(part.dtype, copy=False)
                for array, part in zip(
                    samples.action, self._steps.forms.actions.parts, strict=True
                )
            ]
        )
        if self._steps.lambda_ is None:
            # A sum with 0.0 is never -0.0, which marks the rows that fill up.
            weight = samples.returns[rows] * filled + np.float32(0.0)
            weight[filled == 0] = -0.0
            return observation, action, weight
        log_probability = samples.log_probability
        if log_probability is None:
            log_probability = np.zeros_like(samples.value)
        targets = {
            "action": action,
            "advantage": samples.advantage[rows],
            "value_target": samples.returns[rows],
            "value": samples.value[rows],
            "log_probability": log_probability[rows],
        }
        state = beside.pop("state", None)
        targets |= beside
        if mask is None:
            return observation, targets, filled
        # Of the states that were stored, a sequence begins with its first.
        state = tuple(part[:, 0] for part in state)
        targets["mask"] = mask
        return RecurrentInput(observation, state), targets, filled
