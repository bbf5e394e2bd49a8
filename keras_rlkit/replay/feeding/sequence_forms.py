"""The form in which recurrent models take sequences of transitions."""

from collections.abc import Callable
from typing import Any

import keras

from keras_rlkit.replay.storage.draw import Draw
from keras_rlkit.utils import BurnInInput, RecurrentInput


def as_sequences(
    draw: Draw,
    observation: Any,
    rest: dict[str, Any],
    reshape: Callable[[Any, Any], Any],
) -> tuple[RecurrentInput | BurnInInput, dict[str, Any]]:
    """Return single steps as the sequences that they make.

    Args:
        draw: What was drawn, for B sequences of T steps, b before them.
        observation: Of all steps, [B * (b + T), ...].
        rest: Of all steps, what a batch has beside it.
        reshape: Gives an array another shape, as `np.reshape`.

    Returns:
        Observations with the states that they begin with, and the rest of the
        last T steps, [B, T, ...], with `"mask"` [B, T].
    """
    size, steps = draw.mask.shape
    burn_in = 0 if draw.burn_in is None else draw.burn_in.shape[1]
    steps += burn_in
    observation, rest = keras.tree.map_structure(
        lambda part: reshape(part, (size, steps, *part.shape[1:])),
        (observation, rest),
    )

    def inputs(observation: Any, state: Any) -> Any:
        # Of the states that were stored, a sequence begins with its first.
        first = tuple(part[:, 0] for part in state)
        if draw.burn_in is None:
            return RecurrentInput(observation, first)
        return BurnInInput(observation, first, draw.burn_in)

    following = inputs(rest.pop("next_observation"), rest.pop("next_state"))
    begun = inputs(observation, rest.pop("state"))
    rest = keras.tree.map_structure(lambda part: part[:, burn_in:], rest)
    return begun, {**rest, "next_observation": following, "mask": draw.mask}
