"""Checks of the networks that an actor and a critic are made of."""

from typing import Any

import keras

from keras_rlkit.models.network_shapes import output_shape_of
from keras_rlkit.models.policy_outputs import DISTRIBUTIONS
from keras_rlkit.utils import check_choice


def check_networks(
    policy_network: Any, value_network: Any, distribution: Any
) -> dict[str, Any]:
    """Return the shapes of policy and value, or raise if they don't fit.

    Args:
        policy_network: Built Keras model of the policy, or of both.
        value_network: Built Keras model of the value, or `None`.
        distribution: As `ActorCritic` takes it.

    Returns:
        Dictionary of shapes, batch first: `"policy"`, maybe a nest, and
        `"value"`.

    Raises:
        ValueError: If a network is not built or an output has another form.
    """
    policy = _output_shape("policy_network", policy_network)
    value = None
    if value_network is not None:
        value = _output_shape("value_network", value_network)
    if gives_sequences(policy_network):
        policy = _without_time(policy)
        value = value and _without_time(value)
    if value_network is None and isinstance(policy, dict):
        policy, value = policy.get("policy"), policy.get("value")
    elif value_network is None and not _is_shape(policy):
        pair = isinstance(policy, (list, tuple)) and len(policy) == 2
        policy, value = policy if pair else (policy, None)
    if not _are_shapes(policy) or not _is_shape(value):
        raise ValueError(
            "`policy_network` must give the policy's numbers [B, A], or a "
            "nest of such, and "
            "`value_network` the value [B, 1], or the first alone both, as a "
            'dictionary with "policy" and "value" or in this order. Received: '
            f"output shape {getattr(policy_network, 'output_shape', None)} and "
            f"value_network={getattr(value_network, 'output_shape', None)}. "
            "A subclassed model tells its shapes within a functional one: "
            "`keras.Model(inputs, network(inputs))`."
        )
    if value[1] != 1:
        raise ValueError(
            "The value must have one unit, shape [B, 1]. "
            f"Received: shape {value}."
        )
    return {"policy": _checked("", distribution, policy), "value": (None,)}


def check_distribution(name: str, distribution: Any) -> None:
    """Raise unless this names a distribution, or is a nest of such.

    Args:
        name: Name of the argument, for messages.
        distribution: As `ActorCritic` takes it.

    Raises:
        ValueError: If a part is no name of a distribution.
    """
    if isinstance(distribution, (dict, tuple, list)) and distribution:
        parts = enumerate(distribution)
        if isinstance(distribution, dict):
            parts = distribution.items()
        for key, part in parts:
            check_distribution(f"{name}[{key!r}]", part)
        return
    check_choice(name, distribution, DISTRIBUTIONS)


def gives_sequences(policy_network: Any) -> bool:
    """Return whether a network takes sequences, [B, T, ...] to [B, T, A].

    Args:
        policy_network: Built Keras model of the policy, or of both.
    """
    shape = output_shape_of(policy_network)
    while isinstance(shape, dict) or (
        isinstance(shape, (tuple, list))
        and shape
        and isinstance(shape[0], (tuple, list, dict))
    ):
        shape = next(iter(shape.values() if isinstance(shape, dict) else shape))
    return isinstance(shape, (tuple, list)) and len(shape) == 3


def _without_time(shapes: Any) -> Any:
    """Return shapes [B, T, A] as [B, A], also inside nests."""
    if isinstance(shapes, dict):
        return {key: _without_time(shape) for key, shape in shapes.items()}
    if shapes and isinstance(shapes[0], (tuple, list, dict)):
        return tuple(map(_without_time, shapes))
    return (shapes[0], *shapes[2:])


def _checked(path: str, distribution: Any, policy: Any) -> Any:
    """Return the shapes of a policy, or raise if a part doesn't fit."""
    if isinstance(distribution, dict):
        keys = sorted(policy) if isinstance(policy, dict) else policy
        if keys != sorted(distribution):
            raise ValueError(
                f"The policy's output{path} must have the keys of "
                f"`distribution`, {sorted(distribution)}. Received: {keys}."
            )
        return {
            key: _checked(f"{path}[{key!r}]", distribution[key], policy[key])
            for key in keys
        }
    if isinstance(distribution, (tuple, list)):
        several = isinstance(policy, (tuple, list)) and not _is_shape(policy)
        if not several or len(policy) != len(distribution):
            raise ValueError(
                f"The policy's output{path} must have as many parts as "
                f"`distribution`, {len(distribution)}. Received: {policy}."
            )
        return tuple(
            _checked(f"{path}[{place}]", *pair)
            for place, pair in enumerate(zip(distribution, policy))
        )
    if isinstance(policy, dict):
        raise ValueError(
            f"`distribution{path}` must be a dictionary where the policy's "
            f"output is one. Received: distribution{path}={distribution!r} "
            f"with the outputs {sorted(policy)}."
        )
    if not _is_shape(policy):
        if distribution != "categorical":
            raise ValueError(
                f"`distribution{path}` must be a tuple where the policy has "
                "several outputs that are not all categorical. Received: "
                f"distribution{path}={distribution!r} with the outputs "
                f"{policy}."
            )
        return tuple(map(tuple, policy))
    if distribution == "gaussian" and policy[1] % 2:
        raise ValueError(
            'A "gaussian" policy must give as many log-scales as means, '
            f"[B, 2 * D]. Received: shape {policy}."
        )
    return tuple(policy)


def _are_shapes(shapes: Any) -> bool:
    """Whether this is a shape [B, A], or a nest of such."""
    if isinstance(shapes, dict):
        return bool(shapes) and all(map(_are_shapes, shapes.values()))
    if _is_shape(shapes):
        return True
    several = isinstance(shapes, (tuple, list)) and len(shapes)
    return bool(several) and all(map(_are_shapes, shapes))


def _output_shape(name: str, network: Any) -> Any:
    if not isinstance(network, keras.Model) or not network.built:
        raise ValueError(
            f"`{name}` must be a built Keras model. Received: "
            f"{name}={network!r}. Give it a `keras.Input`, or call it once on "
            "a batch of observations."
        )
    # Subclassed models need not tell.
    return output_shape_of(network)


def _is_shape(shape: Any) -> bool:
    return (
        isinstance(shape, (list, tuple))
        and len(shape) == 2
        and isinstance(shape[1], int)
    )
