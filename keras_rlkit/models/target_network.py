"""A second network that follows a first one."""

from typing import Any

import keras

from keras_rlkit.models.shared_layers import (
    deserialize_networks,
    serialize_networks,
)

# In the 8 or 11 bits of these a small step is lost on the way: weights are
# float32 then, and only what is computed stays short.
_WIDER = {"bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def copy_network(network: keras.Model) -> keras.Model:
    """Return a frozen copy of a network, with the same weights.

    The copy of a network in pure bfloat16 or float16 computes in that type,
    but keeps its weights in float32, so that they can follow in small steps.

    Args:
        network: Built Keras model.

    Returns:
        A model of the same structure whose weights are all non-trainable.
    """
    configs = _widened(serialize_networks({"network": network}))
    config = configs["network"]
    if config["class_name"] == "SharedLayer":
        config = config["config"]["layer"]
    # An optimizer that the network was compiled with is not the copy's.
    config.pop("compile_config", None)
    kind = type(network)
    policy = keras.config.dtype_policy()
    try:
        # For layers that a subclassed model makes.
        keras.config.set_dtype_policy(_WIDER.get(policy.name, policy))
        copy = deserialize_networks(configs, {kind.__name__: kind})["network"]
    finally:
        keras.config.set_dtype_policy(policy)
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy


def _widened(config: Any) -> Any:
    """Return a configuration whose layers keep their weights in float32."""
    if isinstance(config, (list, tuple)):
        return type(config)(_widened(part) for part in config)
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        name = config["config"]["name"]
        return {**config, "config": {"name": _WIDER.get(name, name)}}
    return {key: _widened(part) for key, part in config.items()}
