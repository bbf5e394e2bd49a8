import keras

from keras_rlkit import utils


@utils.register
class Doubling(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def test_registered_under_the_package_name():
    name = keras.saving.get_registered_name(Doubling)
    assert name == "keras_rlkit>Doubling"
    assert keras.saving.get_registered_object(name) is Doubling
