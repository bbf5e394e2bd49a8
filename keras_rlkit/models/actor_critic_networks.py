"""Checks of the networks that an actor and a critic are made of."""

from typing import Any

import keras


def check_networks(
    policy_network: Any, value_network: Any, distribution: str
) -> dict[str, tuple]:
    """Return the shapes of policy and value, or raise if they don't fit.

    Args:
        policy_network: Built Keras model of the policy, or of both.
        value_network: Built Keras model of the value, or `None`.
        distribution: `"categorical"` or `"gaussian"`.

    Returns:
        Dictionary of shapes, batch first: `"policy"` and `"value"`.

    Raises:
        ValueError: If a network is not built or an output has another form.
    """
    policy = _output_shape("policy_network", policy_network)
    if value_network is not None:
        value = _output_shape("value_network", value_network)
    elif isinstance(policy, dict):
        policy, value = policy.get("policy"), policy.get("value")
    elif isinstance(policy, (list, tuple)) and len(policy) == 2:
        policy, value = policy
    else:
        value = None
    if not _is_shape(policy) or not _is_shape(value):
        raise ValueError(
            "`policy_network` must give the policy's numbers [B, A] and "
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
    if distribution == "gaussian" and policy[1] % 2:
        raise ValueError(
            'A "gaussian" policy must give as many log-scales as means, '
            f"[B, 2 * D]. Received: shape {policy}."
        )
    return {"policy": tuple(policy), "value": (None,)}


def _output_shape(name: str, network: Any) -> Any:
    if not isinstance(network, keras.Model) or not network.built:
        raise ValueError(
            f"`{name}` must be a built Keras model. Received: "
            f"{name}={network!r}. Give it a `keras.Input`, or call it once on "
            "a batch of observations."
        )
    # Subclassed models need not tell.
    return getattr(network, "output_shape", None)


def _is_shape(shape: Any) -> bool:
    return (
        isinstance(shape, (list, tuple))
        and len(shape) == 2
        and isinstance(shape[1], int)
    )
