"""The steps of one epoch, and the samples that are made of them."""

from keras_rlkit.replay.storage.epoch_forms import EpochForms
from keras_rlkit.replay.storage.epoch_samples import (
    Evaluate,
    Samples,
    make_samples,
)
from keras_rlkit.replay.storage.standardization import standardized
from keras_rlkit.replay.storage.step_checks import Step


class EpochSteps:
    """Keeps what the policy of this epoch did, and nothing older.

    Args:
        discount: Discount factor of one step.
        lambda_: Lambda of the advantages, or `None` for plain returns.
        standardize: Whether returns, or advantages, are standardized.
        forms: What observations and actions consist of.
        sequence_length: Steps of a sequence, or `None` for single steps.
    """

    def __init__(
        self,
        discount: float,
        lambda_: float | None,
        standardize: bool,
        forms: EpochForms,
        sequence_length: int | None,
    ):
        self.sequence_length = sequence_length
        self.forms = forms
        self.discount = discount
        self.lambda_ = lambda_
        self.standardize = standardize
        #: Counts epochs.
        self.generation = 0
        self._start()

    def _start(self) -> None:
        self.size = 0
        #: Whether the epoch was trained on.
        self.used = False
        #: What `finish` made of the steps, or `None` while the epoch is open.
        self.samples: Samples | None = None
        self._steps: list[Step] = []

    def clear(self) -> None:
        """Forget everything and begin a new epoch."""
        self.generation += 1
        self._start()

    def add(self, step: Step, count: int) -> None:
        """Keep one step of every environment.

        Args:
            step: Arrays of N rows, kept and not copied.
            count: How many rows are valid.
        """
        self._steps.append(step)
        self.size += count
        self.samples = None

    def finish(
        self, evaluate: Evaluate | None = None, reward_scale: float = 1.0
    ) -> Samples:
        """Make the samples; see `EpisodeBuffer.finish`."""
        if not self.size:
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
            self._steps,
            self.discount,
            self.lambda_,
            self.forms.on_lists(evaluate),
            reward_scale,
            self.sequence_length,
        )
        if self.standardize:
            name = "returns" if self.lambda_ is None else "advantage"
            weight = standardized(getattr(samples, name))
            samples = samples._replace(**{name: weight})
        self.samples = samples
        return samples

    def finished(self) -> Samples:
        """Return the samples, made now unless that was done since `add`."""
        return self.finish() if self.samples is None else self.samples
