"""What a policy network's numbers say of actions, by kind of policy."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from keras_rlkit.ops import (
    categorical_log_probability,
    entropy,
    gaussian_entropy,
    gaussian_log_probability,
    mask_actions,
)

DISTRIBUTIONS = ("bernoulli", "categorical", "gaussian")


class _Part(NamedTuple):
    """One distribution of several that are independent of each other.

    `action` and `mask` may be `None`.
    """

    distribution: str
    output: Any
    action: Any
    mask: Any


def log_probability_of(
    distribution: Any, output: Any, action: Any, action_mask: Any = None
) -> Any:
    """Return log-probabilities of actions, summed over their parts.

    Args:
        distribution: `"categorical"`, `"bernoulli"` or `"gaussian"`, or a nest
            of such like the action.
        output: Numbers of the policy: logits [B, num_actions]; for several
            choices a list of such; logits of bits [B, D]; means and logarithms
            of scales [B, 2 D]; or a nest of these.
        action: Integers [B]; [B, K] for K choices; zeros and ones [B, D];
            floats [B, D]; or a nest of these.
        action_mask: Booleans [B, A], all choices side by side, or `None`.
            Defaults to `None`.

    Returns:
        Tensor [B].
    """
    parts = _parts(distribution, output, action, action_mask)
    return _sum(map(_log_probability, parts))


def entropy_of(distribution: Any, output: Any, action_mask: Any = None) -> Any:
    """Return entropies of a policy, summed over the parts of an action.

    Args:
        distribution: As in `log_probability_of`.
        output: As in `log_probability_of`.
        action_mask: As in `log_probability_of`.

    Returns:
        Tensor [B].
    """
    return _sum(map(_entropy, _parts(distribution, output, None, action_mask)))


def num_choices(distribution: Any, output: Any) -> int:
    """Return how many entries of a mask belong to a policy.

    Args:
        distribution: As in `log_probability_of`.
        output: As in `log_probability_of`, or the shapes of its parts.
    """
    if not isinstance(distribution, str):
        pairs = _pairs(distribution, output)
        return sum(num_choices(kind, part) for kind, part, _ in pairs)
    if isinstance(output, (tuple, list)):
        return sum(num_choices(distribution, part) for part in output)
    size = output.shape[-1]
    return {"categorical": size, "bernoulli": 2 * size, "gaussian": 0}[
        distribution
    ]


def _parts(
    distribution: Any, output: Any, action: Any, mask: Any
) -> Iterator[_Part]:
    if isinstance(distribution, str):
        if not isinstance(output, (tuple, list)):
            yield _Part(distribution, output, action, mask)
            return
        found = [
            (distribution, part, None if action is None else action[:, place])
            for place, part in enumerate(output)
        ]
    else:
        found = _pairs(distribution, output, action)
    first = 0
    for kind, part, own in found:
        end = first + num_choices(kind, part)
        own_mask = None if mask is None or end == first else mask[:, first:end]
        yield from _parts(kind, part, own, own_mask)
        first = end


def _pairs(
    distribution: Any, output: Any, action: Any = None
) -> list[tuple[Any, Any, Any]]:
    keys: Any = range(len(distribution))
    if isinstance(distribution, dict):
        keys = sorted(distribution)
    actions = dict.fromkeys(keys) if action is None else action
    return [(distribution[key], output[key], actions[key]) for key in keys]


def _log_probability(part: _Part) -> Any:
    if part.distribution == "gaussian":
        mean, log_scale = keras.ops.split(part.output, 2, axis=-1)
        return gaussian_log_probability(mean, log_scale, part.action)
    if part.distribution == "categorical":
        return categorical_log_probability(_logits(part), part.action)
    action = keras.ops.reshape(part.action, (-1,))
    by_bit = categorical_log_probability(_logits(part), action)
    return _sum_of_bits(by_bit, part)


def _entropy(part: _Part) -> Any:
    if part.distribution == "gaussian":
        return gaussian_entropy(keras.ops.split(part.output, 2, axis=-1)[1])
    if part.distribution == "categorical":
        return entropy(_logits(part))
    return _sum_of_bits(entropy(_logits(part)), part)


def _logits(part: _Part) -> Any:
    """Logits [B, A], of bits [B * D, 2]; -inf for what is forbidden."""
    logits, mask = keras.ops.convert_to_tensor(part.output), part.mask
    if part.distribution == "bernoulli":
        # A choice between 0 and 1, whose difference is the logit.
        pair = [keras.ops.zeros_like(logits), logits]
        logits = keras.ops.reshape(keras.ops.stack(pair, axis=-1), (-1, 2))
        mask = None if mask is None else keras.ops.reshape(mask, (-1, 2))
    return logits if mask is None else mask_actions(logits, mask)


def _sum_of_bits(by_bit: Any, part: _Part) -> Any:
    by_bit = keras.ops.reshape(by_bit, (-1, part.output.shape[-1]))
    return keras.ops.sum(by_bit, axis=-1)


def _sum(terms: Iterator[Any]) -> Any:
    total = next(terms)
    for term in terms:
        total = total + term
    return total
