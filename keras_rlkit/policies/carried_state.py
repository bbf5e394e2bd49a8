"""A model whose state is carried from step to step, as policies see it."""

from typing import Any

import numpy as np

from keras_rlkit.policies.forward import forward
from keras_rlkit.utils import RecurrentInput
from keras_rlkit.utils.nests import take_rows


class CarriedState:
    """Answers for single observations, and remembers the ones before.

    To a policy it is a model: what it is asked is answered from the state in
    which the last step has left it, however often it is asked.

    Args:
        model: Model of the kit with a `state_shape`.
        num_envs: Number of environments N.

    Attributes:
        state: Tuple of float32 arrays [N, units], the state before the
            observations that are acted on.
    """

    def __init__(self, model: Any, num_envs: int):
        self._model = model
        self.state = tuple(
            np.zeros((num_envs, *shape), np.float32)
            for shape in model.state_shape
        )
        self._answered: tuple[Any, Any] | None = None

    def predict_on_batch(self, observations: Any) -> Any:
        """Return the model's output for observations [N, ...]."""
        answered = self._answered
        if answered is None or answered[0] is not observations:
            output = forward(
                self._model,
                RecurrentInput(
                    take_rows(observations, (slice(None), None)), self.state
                ),
            )
            answered = self._answered = observations, output
        parts = {k: v for k, v in answered[1].items() if k != "state"}
        return take_rows(parts, (slice(None), 0))

    def advance(self, observations: Any, begins: np.ndarray) -> tuple:
        """Go on by one step.

        Args:
            observations: What was acted on, [N, ...].
            begins: Booleans [N], where what comes next is an episode's first
                observation: its state is zero.

        Returns:
            The state after the observations, where nothing is reset.
        """
        self.predict_on_batch(observations)
        following = tuple(map(np.asarray, self._answered[1]["state"]))
        self._answered = None
        self.state = tuple(
            np.where(begins[:, None], np.float32(0), part) for part in following
        )
        return following

    def restart(self) -> None:
        """Forget everything: new episodes begin everywhere."""
        self.state = tuple(map(np.zeros_like, self.state))
        self._answered = None


def acting_model(model: Any, num_envs: int) -> Any:
    """Return what a policy is to be called with for a model.

    Args:
        model: Any model.
        num_envs: Number of environments.

    Returns:
        The model itself, or a `CarriedState` where it has a state.
    """
    carries = getattr(model, "state_shape", ())
    return CarriedState(model, num_envs) if carries else model


def go_on(acting: Any, observations: Any, step: Any) -> dict[str, Any]:
    """Carry the state on over one step, where there is one.

    Args:
        acting: What `acting_model` returned.
        observations: What was acted on, [N, ...].
        step: What the environments returned, with `terminated`, `truncated`
            and `valid`.

    Returns:
        `state` and `next_state`, as buffers take them; empty without a state.
    """
    if not isinstance(acting, CarriedState):
        return {}
    state = acting.state
    begins = step.terminated | step.truncated | ~step.valid
    return {"state": state, "next_state": acting.advance(observations, begins)}
