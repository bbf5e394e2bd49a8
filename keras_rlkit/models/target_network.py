"""A second network that follows a first one."""

import keras

from keras_rlkit.models.shared_layers import (
    deserialize_networks,
    serialize_networks,
)


def copy_network(network: keras.Model) -> keras.Model:
    """Return a frozen copy of a network, with the same weights.

    Args:
        network: Built Keras model.

    Returns:
        A model of the same structure whose weights are all non-trainable.
    """
    configs = serialize_networks({"network": network})
    config = configs["network"]
    if config["class_name"] == "SharedLayer":
        config = config["config"]["layer"]
    # An optimizer that the network was compiled with is not the copy's.
    config.pop("compile_config", None)
    kind = type(network)
    copy = deserialize_networks(configs, {kind.__name__: kind})["network"]
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy
