"""The steps of one epoch, kept: an episode buffer without data sets."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rlkit.replay.buffer import Buffer
from keras_rlkit.replay.feeding.epoch_feed import EpochFeed
from keras_rlkit.replay.storage.action_layout import ActionLayout
from keras_rlkit.replay.storage.carried_states import check_sequences
from keras_rlkit.replay.storage.epoch_forms import EpochForms
from keras_rlkit.replay.storage.epoch_samples import Evaluate
from keras_rlkit.replay.storage.epoch_steps import EpochSteps
from keras_rlkit.replay.storage.step_checks import Step
from keras_rlkit.utils import check_fraction


class EpochMemory(Buffer):
    """Keeps the steps of one epoch.

    All of an `EpisodeBuffer` save its data sets, with the same arguments.
    """

    def __init__(
        self,
        discount: float,
        standardize: bool,
        lambda_: float | None,
        observation_shape: Any,
        observation_dtype: Any,
        num_envs: int,
        action_shape: Any,
        num_actions: Any,
        capacity: int,
        seed: int | None,
        action_masks: bool,
        sequence_length: int | None,
        state_shape: Sequence[tuple[int, ...]],
    ):
        super().__init__(capacity, num_envs, discount, seed)
        self._actions = ActionLayout(action_shape, num_actions)
        if action_masks and lambda_ is None:
            raise ValueError(
                "`action_masks` needs `lambda_`: a loss of returns alone has "
                "no place for masks. Received: action_masks=True, "
                "lambda_=None. Let the network give -inf for what is "
                "forbidden, or use `ActorCritic`."
            )
        self.standardize = bool(standardize)
        if lambda_ is not None:
            lambda_ = check_fraction("lambda_", lambda_)
        self.lambda_ = lambda_
        forms = EpochForms(
            observation_shape,
            observation_dtype,
            self._actions,
            action_masks,
            state_shape,
        )
        check_sequences(sequence_length, forms.state_shape)
        if sequence_length is not None and lambda_ is None:
            raise ValueError(
                "`sequence_length` needs `lambda_`: sequences are for "
                "`ActorCritic`. Received: "
                f"sequence_length={sequence_length}, lambda_=None."
            )
        self._steps = EpochSteps(
            self.discount, lambda_, self.standardize, forms, sequence_length
        )
        #: What data sets draw from.
        self.feed = EpochFeed(self._steps, self._generator)

    @property
    def observation_shape(self) -> Any:
        """Shape of one observation, or a nest; known from the first step on."""
        return self._steps.forms.shape

    @property
    def observation_dtype(self) -> Any:
        """NumPy dtype of observations, or a nest of dtypes."""
        return self._steps.forms.dtype

    @property
    def action_shape(self) -> Any:
        """Shape of one action, or a nest of shapes."""
        return self._actions.shape

    @property
    def num_actions(self) -> Any:
        """How many actions there are to choose from, as it was given."""
        return self._actions.num_actions

    @property
    def action_masks(self) -> bool:
        """Whether masks of allowed actions are stored."""
        return self._steps.forms.mask_size is not None

    @property
    def sequence_length(self) -> int | None:
        """Steps of a sequence, or `None` for single steps."""
        return self._steps.sequence_length

    @property
    def state_shape(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the network's state that is stored; empty for none."""
        return self._steps.forms.state_shape

    @property
    def gives(self) -> str:
        """What models learn from that it belongs to."""
        return "returns" if self.lambda_ is None else "advantages"

    def __len__(self) -> int:
        """Return how many transitions this epoch has so far."""
        return self._steps.size

    def clear(self) -> None:
        """Forget everything and begin a new epoch."""
        self._steps.clear()

    def _check(
        self,
        step: tuple[Any, ...],
        action_mask: Any,
        next_action_mask: Any,
        state: Any = None,
        next_state: Any = None,
    ) -> Step:
        return self._steps.forms.check(
            step,
            self.num_envs,
            action_mask,
            next_action_mask,
            state,
            next_state,
        )

    def _keep(self, step: Step) -> None:
        if self._steps.used:
            self.clear()
        count = int(np.count_nonzero(step.valid))
        size = self._steps.size + count
        if size > self.capacity:
            raise ValueError(
                f"`capacity` must hold a whole epoch. Received: capacity="
                f"{self.capacity} with {size} transitions before the epoch's "
                "last episode has ended. Raise it, collect less in an epoch, "
                "or give the environment a time limit, as in "
                "`gymnasium.wrappers.TimeLimit`."
            )
        self._steps.add(step, count)

    def finish(
        self, evaluate: Evaluate | None = None, reward_scale: float = 1.0
    ) -> None:
        """End the epoch's collecting: work out returns and advantages.

        Args:
            evaluate: Called once as `evaluate(observations, actions)` with
                all M transitions of the epoch and, after them, the states
                whose future was not played (with actions of 0); with
                `action_masks`, `action_mask=` is a third argument, masks
                [M + F, A], with `state_shape` also `state=`. Returns their
                values [M + F] and the log-probabilities of the actions
                [M + F], or `None` for the latter. Without it there are no
                values.
            reward_scale: Number that all rewards of the epoch are multiplied
                by. Defaults to 1.

        Raises:
            ValueError: If the epoch is empty, values are missing or not
                finite.
        """
        self._steps.finish(evaluate, reward_scale)

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue with the next epoch.

        An epoch's data are not part of it: the next one has its own.

        Returns:
            Dictionary that JSON can hold.
        """
        return {"generator": self._generator.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned.

        Args:
            state: Dictionary from `get_state`.
        """
        self.clear()
        self._generator.bit_generator.state = state["generator"]
