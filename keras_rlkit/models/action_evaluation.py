"""Values and log-probabilities of a whole epoch, a chunk at a time."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_rlkit.models.policy_outputs import log_probability_of
from keras_rlkit.policies.forward import forward
from keras_rlkit.replay.feeding.padded_size import padded_size
from keras_rlkit.utils import RecurrentInput
from keras_rlkit.utils.nests import num_rows, take_rows

# Rows that are evaluated at once: bounds the memory that images take.
CHUNK = 4096


def evaluate_in_chunks(
    agent: Any, observation: Any, action: Any, action_mask: Any, state: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return values and log-probabilities, as `ActorCritic.evaluate_actions`.

    Args:
        agent: `ActorCritic`.
        observation: As `ActorCritic.evaluate_actions` takes it.
        action: As `ActorCritic.evaluate_actions` takes it.
        action_mask: As `ActorCritic.evaluate_actions` takes it.
        state: As `ActorCritic.evaluate_actions` takes it.
    """
    values, log_probabilities = [], []
    for rows, count, output in outputs_in_chunks(agent, observation, state):
        values.append(np.asarray(output["value"])[:count])
        if agent.clip is not None:
            mask = None if action_mask is None else action_mask[rows]
            log_probability = keras.ops.convert_to_numpy(
                log_probability_of(
                    agent.distribution,
                    output["policy"],
                    take_rows(action, rows),
                    mask,
                )
            )
            log_probabilities.append(log_probability[:count])
    if agent.clip is None:
        return np.concatenate(values), None
    return np.concatenate(values), np.concatenate(log_probabilities)


def outputs_in_chunks(
    agent: Any, observation: Any, state: Any
) -> Iterator[tuple[np.ndarray, int, Any]]:
    """Yield what an agent gives of observations, a chunk at a time.

    Args:
        agent: The agent.
        observation: Array [M, ...], or a nest of arrays.
        state: Of recurrent networks, arrays [M, units] before each, or `None`.

    Yields:
        Tuples `(rows, count, output)`: numbers of rows, of which the first
        `count` are new, and the output of all of them.
    """
    size = num_rows(observation)
    for start in range(0, size, CHUNK):
        rows = np.arange(start, min(start + CHUNK, size))
        # One of few sizes: each is compiled once.
        filled = np.resize(rows, padded_size(len(rows)))
        output = _output(agent, take_rows(observation, filled), state, filled)
        yield filled, len(rows), output


def _output(agent: Any, observation: Any, state: Any, rows: np.ndarray) -> Any:
    if state is None:
        return forward(agent, observation)
    # Each step is a sequence of one, which begins with its own state.
    inputs = RecurrentInput(
        take_rows(observation, (slice(None), None)),
        tuple(part[rows] for part in state),
    )
    output = forward(agent, inputs)
    parts = {name: part for name, part in output.items() if name != "state"}
    return take_rows(parts, (slice(None), 0))
