"""Minibatches out of an on-policy memory, for `fit` and by hand."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.replay.feeding.batch_forms import Batch
from keras_rlkit.replay.storage.rollout_samples import Samples


class EpochSupply:
    """What hands the epoch of an `EpisodeBuffer` to `fit`."""

    def samples(self) -> Batch:
        """Return all of this epoch's data as one batch, in order of time.

        Returns:
            `(observation, action, weight)`: [M, *observation_shape]; int32
            [M] or float32 [M, *action_shape]; float32 [M]. With `lambda_`,
            the second item is a dictionary of `action`, `advantage`,
            `value_target` (the lambda return), `value` and `log_probability`,
            the latter four float32 [M] from the policy that acted, and the
            third is the weight of each row: 1.
        """
        return self.gather(np.arange(self._size), self._size)

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
            A `tf.data.Dataset` with elements as `samples` has, as tensors,
            for one `fit`.

        Raises:
            ValueError: If an argument is out of its range, or the shape of
                observations is not known.
        """
        from keras_rlkit.replay.feeding.tf_dataset import make_epoch_dataset

        return make_epoch_dataset(self, minibatches, passes, _padding(pad))

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
        from keras_rlkit.replay.feeding.epoch_batches import EpochBatches

        return EpochBatches(self, minibatches, passes, _padding(pad))

    def gather(self, rows: np.ndarray, size: int) -> Batch:
        """Return some of the epoch's samples as a batch.

        Args:
            rows: Integers [M], numbers of the samples.
            size: Rows of the batch. Beyond M they repeat the others with
                weight 0.

        Returns:
            A batch as `samples` gives.
        """
        self.finish_if_open()
        filled = np.zeros(size, np.float32)
        filled[: len(rows)] = size / len(rows)
        return self._batch(self._samples, np.resize(rows, size), filled)

    def blank(self, size: int) -> Batch:
        """Return zeros in the form of `samples`, whatever is stored.

        Args:
            size: Rows of the batch.
        """
        if self.observation_shape is None:
            raise ValueError(
                "`observation_shape` must be known before there are data. "
                "Received: observation_shape=None. Make the buffer with "
                "`EpisodeBuffer.for_environment`, or give the shape."
            )
        zeros = np.zeros(size, np.float32)
        blank = Samples(
            np.zeros((size, *self.observation_shape), self.observation_dtype),
            np.zeros((size, *self.action_shape), self.action_dtype),
            *[zeros] * 4,
        )
        return self._batch(blank, np.arange(size), zeros)

    def shuffled(self, size: int) -> np.ndarray:
        """Return the integers below `size` in a random order."""
        return self._generator.permutation(size)

    def note_used(self) -> None:
        """Let the next `add` begin a new epoch: this one is trained on."""
        self._used = True

    def _batch(self, samples: Samples, rows: np.ndarray, filled: np.ndarray):
        observation = samples.observation[rows].astype(
            self.observation_dtype, copy=False
        )
        action = samples.action[rows].astype(self.action_dtype, copy=False)
        if self.lambda_ is None:
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
        return observation, targets, filled


def _padding(pad: bool | None) -> bool:
    return keras.backend.backend() == "jax" if pad is None else bool(pad)
