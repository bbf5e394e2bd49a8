"""A second network that follows a first one."""

import keras


def copy_network(network: keras.Model) -> keras.Model:
    """Return a frozen copy of a network, with the same weights.

    Args:
        network: Built Keras model.

    Returns:
        A model of the same structure whose weights are all non-trainable.
    """
    copy = network.__class__.from_config(network.get_config())
    if not copy.built:
        copy.build_from_config(network.get_build_config())
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy
