"""Networks named after their papers: shapes, sizes, options."""

import keras
import numpy as np
import pytest

import keras_rlkit as rlk

IMAGES = {
    "nature": rlk.networks.nature,
    "small": rlk.networks.small,
    "impala": rlk.networks.impala,
}
# Filters * size of a kernel + biases, by hand, for images of 84x84x4.
NATURE = [
    32 * 8 * 8 * 4 + 32,
    64 * 4 * 4 * 32 + 64,
    64 * 3 * 3 * 64 + 64,
    7 * 7 * 64 * 512 + 512,
]
SMALL = [16 * 8 * 8 * 4 + 16, 32 * 4 * 4 * 16 + 32, 9 * 9 * 32 * 256 + 256]
# One convolution and four in residual blocks, three times; 84 is halved three
# times to 11.
IMPALA = [
    *(
        filters * 9 * channels + filters + 4 * (filters * 9 * filters + filters)
        for channels, filters in ((4, 16), (16, 32), (32, 32))
    ),
    11 * 11 * 32 * 256 + 256,
]


@pytest.mark.parametrize(
    "name, sizes, features",
    [("nature", NATURE, 512), ("small", SMALL, 256), ("impala", IMPALA, 256)],
)
def test_they_are_those_of_the_papers(name, sizes, features):
    network = IMAGES[name]((84, 84, 4))
    assert network.count_params() == sum(sizes)
    assert network.input_shape == (None, 84, 84, 4)
    assert network.output_shape == (None, features)
    assert network.inputs[0].dtype == "uint8"


def multiplications(network):
    """Of one pass over one observation, in convolutions and dense layers."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            places = np.prod(layer.output.shape[1:-1], dtype=int)
            total += places * np.prod(layer.kernel.shape)
    return total


def test_what_they_cost():
    # As their pages say, for images of 84x84x4.
    nature, small, impala = (
        multiplications(make((84, 84, 4))) for make in IMAGES.values()
    )
    by_hand = 400 * 8192 + 81 * 32768 + 49 * 36864 + 3136 * 512
    assert nature == by_hand
    assert small / nature == pytest.approx(1 / 3, rel=0.1)
    assert impala / nature == pytest.approx(6, rel=0.1)


def test_width():
    narrow, wide = (
        rlk.networks.impala((21, 21, 3), width=width, units=None)
        for width in (1, 2)
    )
    assert narrow.output_shape == (None, 3 * 3 * 32)
    assert wide.output_shape == (None, 3 * 3 * 64)


@pytest.mark.parametrize("name", IMAGES)
def test_pixels_are_scaled(name):
    keras.utils.set_random_seed(0)
    network = IMAGES[name]((42, 42, 2), units=8)
    scaled = IMAGES[name]((42, 42, 2), units=8, input_dtype="float32")
    scaled.set_weights(network.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (3, 42, 42, 2), "uint8")
    features = np.array(network(pixels))
    assert np.ptp(features) > 0
    np.testing.assert_allclose(
        features, np.array(scaled(pixels / np.float32(255))), rtol=1e-4
    )


@pytest.mark.parametrize("name", IMAGES)
def test_normalised_layers_do_not_see_the_scale(name):
    keras.utils.set_random_seed(0)
    network = IMAGES[name](
        (42, 42, 2),
        units=8,
        layer_normalization=True,
        activation="tanh",
        input_dtype="float32",
    )
    # Behind a normalisation of each layer, a factor is gone.
    first = next(
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.LayerNormalization)
    )
    normalised = keras.Model(network.inputs, first.output)
    images = np.random.default_rng(0).random((2, 42, 42, 2), "float32")
    output = np.array(normalised(images))
    np.testing.assert_allclose(output.mean(axis=-1), 0, atol=1e-5)
    assert network.output_shape == (None, 8)
    assert np.abs(np.array(network(images))).max() <= 1


def test_dense_layers():
    network = rlk.networks.mlp((2, 3), units=(5, 4))
    assert network.output_shape == (None, 4)
    assert network.count_params() == 6 * 5 + 5 + 5 * 4 + 4
    with_norm = rlk.networks.mlp((6,), units=(5, 4), layer_normalization=True)
    assert with_norm.count_params() == network.count_params() + 2 * (5 + 4)


@pytest.mark.parametrize("name", [*IMAGES, "mlp"])
def test_two_of_them_fit_into_one_model(name, tmp_path):
    shape = (3,) if name == "mlp" else (42, 42, 1)
    make = getattr(rlk.networks, name)
    inputs = keras.Input(shape)
    both = keras.layers.Concatenate()(
        [make(shape)(inputs), make(shape, name="second")(inputs)]
    )
    model = keras.Model(inputs, keras.layers.Dense(2)(both))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    sample = np.ones((1, *shape), "float32")
    np.testing.assert_array_equal(
        np.array(loaded(sample)), np.array(model(sample))
    )


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: rlk.networks.nature((84, 84)), "`input_shape` must be"),
        (lambda: rlk.networks.small((84, 84, 4), units=0), "`units` must be"),
        (lambda: rlk.networks.impala((84, 84, 4), width=0), "`width` must be"),
        (lambda: rlk.networks.mlp((4,), units=()), "`units` must have"),
        (lambda: rlk.networks.mlp((4,), units=(3, -1)), "`units` must be"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
