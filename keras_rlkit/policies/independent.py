"""Several policies, one for each part of an action."""

from typing import Any

import numpy as np

from keras_rlkit.policies.action_scores import (
    OUTPUT_KEYS,
    check_mask_shape,
    output_of_actions,
)
from keras_rlkit.policies.forward import forward
from keras_rlkit.utils.nests import num_rows


class Independent:
    """Chooses the parts of an action independently of each other.

    For `Dict` and `Tuple` action spaces, also such that mix discrete and
    continuous actions. The model gives one output for each part.

    Args:
        parts: Dictionary, or tuple, of policies of the kit, like the action
            space.

    Raises:
        ValueError: If `parts` is neither, or empty.

    Example:

    ```python
    inputs = keras.Input((4,))
    network = keras.Model(
        inputs,
        {
            "gear": keras.layers.Dense(3)(inputs),
            "steer": keras.layers.Dense(2)(inputs),
        },
    )
    policy = rlk.policies.Independent(
        {
            "gear": rlk.policies.Categorical(seed=0),
            "steer": rlk.policies.Gaussian(seed=0),
        }
    )
    actions = policy(network, np.zeros((8, 4), "float32"), step=0)
    actions["gear"].shape, actions["steer"].shape  # (8,), (8, 1)
    ```

    Reference:
        Neunert et al., Continuous-Discrete Reinforcement Learning for Hybrid
        Control in Robotics, section 3, https://arxiv.org/abs/2001.00449
    """

    def __init__(self, parts: Any):
        if not isinstance(parts, (dict, tuple, list)) or not parts:
            raise ValueError(
                "`parts` must be a dictionary or a tuple of policies. "
                f"Received: parts={parts!r}."
            )
        self.parts = parts if isinstance(parts, dict) else tuple(parts)

    @property
    def actions(self) -> Any:
        """Kinds of the parts' actions, a nest."""
        return self._like([part.actions for _, part in self._items()])

    @property
    def draws(self) -> bool:
        """Whether actions are drawn from the model's own probabilities."""
        return all(part.draws for _, part in self._items())

    def __call__(
        self, model: Any, observations: Any, step: int, action_mask: Any = None
    ) -> Any:
        """Choose an action for each observation.

        Args:
            model: Keras model that gives a nest of outputs like the policies,
                each as its policy takes it, itself or under `"policy"`, else
                under `"logits"`.
            observations: NumPy array of observations, [N, ...], or a nest of
                arrays, as the model takes them.
            step: Environment steps taken so far.
            action_mask: Booleans [N, A], the choices of all parts side by
                side, or `None`. Defaults to `None`.

        Returns:
            Nest of actions like the policies.

        Raises:
            ValueError: If the model's output isn't like the policies, or a
                part can't choose.
        """
        outputs = forward(model, observations)
        if isinstance(outputs, dict) and set(outputs) & set(OUTPUT_KEYS):
            outputs = output_of_actions(outputs)
        return self.choose(outputs, num_rows(observations), step, action_mask)

    def choose(
        self, output: Any, size: int, step: int, action_mask: Any = None
    ) -> Any:
        """Choose actions by what a model gave.

        Args:
            output: Nest of outputs like the policies.
            size: Number of observations N.
            step: Environment steps taken so far.
            action_mask: As in calling the policy.

        Returns:
            As calling the policy.
        """
        kind = dict if isinstance(self.parts, dict) else (tuple, list)
        keys = [key for key, _ in self._items()]
        if not isinstance(output, kind) or len(output) != len(keys):
            raise ValueError(
                "`Independent` needs a model with an output for each of its "
                f"parts {keys}. Received: {_described(output)}."
            )
        missing = [key for key in keys if isinstance(key, str)]
        missing = sorted(set(missing) - set(output)) if missing else []
        if missing:
            raise ValueError(
                "`Independent` needs a model with an output for each of its "
                f"parts {keys}. Received: {_described(output)}."
            )
        if action_mask is not None:
            total = num_choices(self.actions, output)
            check_mask_shape(action_mask, (size, total))
        chosen, first = [], 0
        for key, part in self._items():
            end = first + num_choices(part.actions, output[key])
            mask = None if action_mask is None else action_mask[:, first:end]
            mask = None if end == first else mask
            chosen.append(part.choose(output[key], size, step, mask))
            first = end
        return self._like(chosen)

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to continue exactly.

        Returns:
            Dictionary that JSON can hold: the states of the parts.
        """
        return {"parts": [part.get_state() for _, part in self._items()]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned.

        Args:
            state: Dictionary from `get_state`.
        """
        states = zip(self._items(), state["parts"], strict=True)
        for (_, part), own in states:
            part.set_state(own)

    def _items(self) -> list[tuple[Any, Any]]:
        if isinstance(self.parts, dict):
            return sorted(self.parts.items())
        return list(enumerate(self.parts))

    def _like(self, values: list[Any]) -> Any:
        if isinstance(self.parts, dict):
            keys = [key for key, _ in self._items()]
            return dict(zip(keys, values, strict=True))
        return tuple(values)


def num_choices(kinds: Any, output: Any) -> int:
    """Return how many choices of a mask belong to an output.

    Args:
        kinds: What `actions` of its policy says, a nest.
        output: The output, or a nest of outputs.
    """
    if isinstance(kinds, dict):
        return sum(num_choices(kinds[key], output[key]) for key in kinds)
    if isinstance(kinds, tuple):
        return sum(map(num_choices, kinds, output))
    if kinds == "continuous":
        return 0
    parts = output if isinstance(output, (tuple, list)) else [output]
    size = sum(np.shape(part)[-1] for part in parts)
    return 2 * size if kinds == "binary" else size


def _described(output: Any) -> str:
    if isinstance(output, dict):
        return f"outputs {sorted(output)}"
    if isinstance(output, (tuple, list)):
        return f"{len(output)} outputs"
    return f"one output of shape {np.shape(output)}"
