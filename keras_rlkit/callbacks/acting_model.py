"""The model that a collector acts with, and the state it carries."""

from typing import Any

import numpy as np

from keras_rlkit.policies.carried_state import (
    CarriedState,
    acting_model,
    go_on,
)


class ActingModel:
    """Keeps a model's state from one `fit` to the next.

    Args:
        num_envs: Number of environments N.

    Attributes:
        states: `state` and `next_state` of the last step, as buffers take
            them; empty where the model carries none.
    """

    def __init__(self, num_envs: int):
        self._num_envs = num_envs
        self._used: Any = None
        self._restored: Any = None
        self._acting: Any = None
        self.states: dict[str, Any] = {}

    def of(self, model: Any) -> Any:
        """Return what policies are called with for a model.

        Args:
            model: The model. Another one than before begins anew. Keras on
                JAX brings its weights up to date whenever a callback asks for
                it, so ask for each step.
        """
        if self._used is not model:
            self._used = model
            self._acting = acting_model(model, self._num_envs)
        if self._restored is not None:
            self._acting.state = self._restored
            self._restored = None
        return self._acting

    def restart(self) -> None:
        """Begin new episodes everywhere."""
        if isinstance(self._acting, CarriedState):
            self._acting.restart()

    def go_on(self, observation: Any, step: Any) -> None:
        """Go on by a step; see `keras_rlkit.policies.carried_state.go_on`."""
        self.states = go_on(self._acting, observation, step)

    def get_state(self) -> Any:
        """Return the arrays of the state, or `None` where there is none."""
        return getattr(self._acting, "state", None)

    def set_state(self, state: Any) -> None:
        """Continue from what `get_state` returned, at the next `of`."""
        if state is not None:
            self._restored = tuple(map(np.array, state))
