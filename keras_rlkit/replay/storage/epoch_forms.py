"""What the observations and actions of an epoch consist of."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_rlkit.replay.storage.action_layout import ActionLayout
from keras_rlkit.replay.storage.action_masks import add_masks, check_mask_size
from keras_rlkit.replay.storage.array_checks import check_dtype
from keras_rlkit.replay.storage.carried_states import add_states
from keras_rlkit.replay.storage.epoch_samples import Evaluate
from keras_rlkit.replay.storage.observation_layout import ObservationLayout
from keras_rlkit.replay.storage.step_checks import Step, check_step


class EpochForms:
    """Checks steps by what they should consist of, or by what the first did.

    Args:
        shape: Shape of one observation, or a nest of shapes; `None` where the
            first step is to tell.
        dtype: Dtype of observations, or a nest of dtypes.
        actions: What an action consists of.
        action_masks: Whether there are masks.
        state_shape: Shapes of the arrays of a network's state, or empty.
    """

    def __init__(
        self,
        shape: Any,
        dtype: Any,
        actions: ActionLayout,
        action_masks: bool,
        state_shape: Sequence[tuple[int, ...]],
    ):
        self.state_shape = tuple(state_shape)
        self.actions = actions
        self.mask_size = check_mask_size(action_masks, actions)
        self._dtype = keras.tree.map_structure(check_dtype, dtype)
        #: What an observation consists of, or `None` while not known.
        self.layout: ObservationLayout | None = None
        if shape is not None:
            self.layout = self._make_layout(shape)

    @property
    def shape(self) -> Any:
        """Shape of one observation, or a nest, or `None` while not known."""
        return None if self.layout is None else self.layout.shape

    @property
    def dtype(self) -> Any:
        """NumPy dtype of observations, or a nest of dtypes."""
        return self._dtype if self.layout is None else self.layout.dtype

    def check(
        self,
        step: tuple[Any, ...],
        num_envs: int,
        action_mask: Any,
        next_action_mask: Any,
        state: Any,
        next_state: Any,
    ) -> Step:
        """Return a step as arrays, or raise if any part of it is wrong.

        Args:
            step: The arguments of `EpisodeBuffer.add`, without masks.
            num_envs: Number of environments N.
            action_mask: As `EpisodeBuffer.add` takes it.
            next_action_mask: As `EpisodeBuffer.add` takes it.
            state: As `EpisodeBuffer.add` takes it.
            next_state: As `EpisodeBuffer.add` takes it.
        """
        layout = self.layout
        if layout is None:
            shape = keras.tree.map_structure(
                lambda array: np.shape(array)[1:], step[0]
            )
            layout = self._make_layout(shape)
        checked = add_masks(
            check_step(step, layout, self.actions, num_envs),
            self.mask_size,
            self.actions,
            action_mask,
            next_action_mask,
        )
        checked = add_states(
            checked, self.state_shape, num_envs, state, next_state
        )
        self.layout = layout
        return checked

    def on_lists(self, evaluate: Evaluate | None) -> Evaluate | None:
        """Return a function for lists of arrays, from one for nests.

        Args:
            evaluate: As `EpisodeBuffer.finish` takes it.
        """
        if evaluate is None:
            return None

        def on_lists(leaves: list, parts: list) -> Any:
            observations, beside = self.layout.split(leaves)
            return evaluate(observations, self.actions.nest(parts), **beside)

        return on_lists

    def _make_layout(self, shape: Any) -> ObservationLayout:
        return ObservationLayout(
            shape,
            self._dtype,
            mask_size=self.mask_size,
            state_shape=self.state_shape,
        )
