"""Which model, buffer, collector and policy belong together."""

from collections.abc import Callable
from typing import Any

import keras

# What a buffer gives (`gives`), a collector fills (`fills`) and a model, or the
# loss that it was compiled with, learns from (`learns_from`).
PARTNERS = {
    "transitions": "`DoubleDQN`, `ReplayBuffer` and `CollectSteps`",
    "returns": "a Keras model with `PolicyGradientLoss`, `EpisodeBuffer` with "
    "`lambda_=None`, and `CollectEpisodes` or `CollectRollout`",
    "advantages": "`ActorCritic` or `PQN`, `EpisodeBuffer` with a `lambda_` "
    "such as 0.95, and `CollectRollout` or `CollectEpisodes`",
}
POLICIES = {
    "binary": '`Bernoulli`, with `ActorCritic(distribution="bernoulli")`, '
    "`EpisodeBuffer` and `CollectRollout`",
    "discrete": "`EpsilonGreedy`, `Greedy` or `Categorical`",
    "continuous": '`Gaussian`, with `ActorCritic(distribution="gaussian")`, '
    "`EpisodeBuffer` and `CollectRollout`",
}

DISTRIBUTIONS = {
    "binary": "bernoulli",
    "continuous": "gaussian",
    "discrete": "categorical",
}
DRAWING = {
    "binary": "Bernoulli()",
    "continuous": "Gaussian()",
    "discrete": "Categorical()",
}


def check_buffer(fills: tuple[str, ...], buffer: Any, collector: Any) -> None:
    """Raise if a collector can't fill a buffer.

    Args:
        fills: Keys of `PARTNERS`.
        buffer: What the collector was given.
        collector: The callback, for the message.

    Raises:
        ValueError: If it is another kind of buffer, or none.
    """
    gives = getattr(buffer, "gives", None)
    if gives in fills or (gives is None and hasattr(buffer, "add")):
        return
    kinds = [*fills, gives] if gives else fills
    together = "; and ".join(PARTNERS[kind] for kind in kinds)
    raise ValueError(
        f"`buffer` must be one that `{type(collector).__name__}` fills. "
        f"Received: buffer={type(buffer).__name__}. These belong together: "
        f"{together}."
    )


def check_model(buffer: Any, model: keras.Model, collector: Any) -> None:
    """Raise if a model can't learn from what a buffer gives.

    Args:
        buffer: The buffer.
        model: Compiled model.
        collector: The callback, for the message.

    Raises:
        ValueError: If the model learns from something else.
    """
    wanted = _trait(model, "learns_from")
    gives = getattr(buffer, "gives", wanted)
    if wanted in (None, gives):
        return
    raise ValueError(
        f"The model must learn from {gives}, which the buffer gives. Received: "
        f"{_name(model)}, which learns from {wanted}, with "
        f"`{type(buffer).__name__}` and `{type(collector).__name__}`. These "
        f"belong together: {PARTNERS[wanted]}; and {PARTNERS[gives]}."
    )


def check_state(buffer: Any, model: keras.Model) -> None:
    """Raise unless a buffer stores the state that a model carries.

    Args:
        buffer: The buffer.
        model: The model.

    Raises:
        ValueError: If the model is recurrent and the buffer gives no sequences
            with its states, or the other way round.
    """
    carried = tuple(getattr(model, "state_shape", ()))
    stored = tuple(getattr(buffer, "state_shape", ()))
    if carried != stored:
        raise ValueError(
            "`buffer` must store the state that the model carries from step to "
            f"step, state_shape={carried}. Received: {type(buffer).__name__} "
            f"with state_shape={stored}. Make it with `sequence_length=` and "
            "`state_shape=agent.state_shape`."
        )


def check_distribution(action_space: Any, model: keras.Model) -> None:
    """Raise if a model's distribution isn't one over an environment's actions.

    Args:
        action_space: Space of one environment's action.
        model: Compiled model.

    Raises:
        ValueError: If the model is categorical and actions are continuous, or
            the other way round.
    """
    received = _trait(model, "distribution")
    expected = keras.tree.map_structure(
        lambda kind: DISTRIBUTIONS[kind], _kind(action_space)
    )
    known = isinstance(received, (dict, tuple, list)) or (
        received in DISTRIBUTIONS.values()
    )
    if known and _plain(received) != _plain(expected):
        raise ValueError(
            f"The model's distribution must be over the actions {action_space}"
            f": {expected}. Received: {_name(model)}, which is {received}. Use "
            f"`ActorCritic(..., distribution={_quoted(expected)})`."
        )


def check_policy(
    policy: Callable, action_space: Any, draws: bool = False
) -> None:
    """Raise if a policy gives actions of another kind than an environment.

    Args:
        policy: What a callback was given; one that doesn't tell is accepted.
        action_space: Space of one environment's action.
        draws: Whether actions must be drawn from the model's probabilities,
            as policy gradients assume. Defaults to `False`.

    Raises:
        ValueError: If the policy isn't right for the environment or, with
            `draws`, for policy gradients.
    """
    kind = _kind(action_space)
    name = type(policy).__name__
    told = getattr(policy, "actions", None)
    # Other policies may mean something else by that name.
    known = isinstance(told, (dict, tuple)) or (
        isinstance(told, str) and told in POLICIES
    )
    if known and told != kind:
        use = "`Independent`, with a policy for each part"
        if isinstance(kind, str):
            use = POLICIES[kind]
        raise ValueError(
            f"`policy` must give {kind} actions for {action_space}. Received: "
            f"policy={name}, whose actions are {told}. Use {use}."
        )
    if draws and getattr(policy, "draws", True) is False:
        drawing = "Independent(...) of policies that draw"
        if isinstance(kind, str):
            drawing = DRAWING[kind]
        raise ValueError(
            "`policy` must draw its actions from the probabilities that the "
            f"model gives, as policy gradients assume. Received: policy={name}"
            f", which doesn't. Collect with `{drawing}`, and keep the other "
            "one for `EvaluatePolicy`."
        )


def _kind(action_space: Any) -> Any:
    """Return what kind of actions these are, or a nest of kinds."""
    parts = getattr(action_space, "spaces", None)
    if isinstance(parts, dict):
        return {key: _kind(part) for key, part in parts.items()}
    if parts is not None:
        return tuple(map(_kind, parts))
    if hasattr(action_space, "low"):
        return "continuous"
    several_bits = hasattr(action_space, "n") and action_space.shape != ()
    return "binary" if several_bits else "discrete"


def _plain(nest: Any) -> Any:
    """Return a nest with lists for tuples, as a file gives them back."""
    if isinstance(nest, dict):
        return {key: _plain(part) for key, part in nest.items()}
    if isinstance(nest, (tuple, list)):
        return [_plain(part) for part in nest]
    return nest


def _quoted(nest: Any) -> str:
    return f'"{nest}"' if isinstance(nest, str) else repr(nest)


def _trait(model: keras.Model, name: str) -> Any:
    own = getattr(model, name, None)
    loss = getattr(model, "loss", None)
    return getattr(loss, name, None) if own is None else own


def _name(model: keras.Model) -> str:
    name = f"`{type(model).__name__}`"
    loss = getattr(model, "loss", None)
    if isinstance(loss, keras.losses.Loss):
        name += f" with the loss `{type(loss).__name__}`"
    return name
