import keras
import numpy as np
import pytest

import keras_rlkit as rlk

SEEN = np.array([[0.0, 100.0], [2.0, 500.0]], "float32")
MORE = np.array([[4.0, 900.0], [2.0, 500.0]], "float32")


def built(**arguments):
    layer = rlk.layers.RunningNormalization(**arguments)
    layer.build((None, 2))
    return layer


def test_nothing_changes_before_there_are_data():
    inputs = np.array([[0.1, -1e6]], "float32")
    np.testing.assert_array_equal(np.array(built()(inputs)), inputs)


def test_normalised_by_hand_and_updated_in_parts():
    layer = built()
    layer.update(SEEN)
    # Means 1 and 300, deviations 1 and 200.
    np.testing.assert_allclose(
        layer(np.array([[3.0, 200.0]])), [[2.0, -0.5]], rtol=1e-6
    )
    layer.update(MORE)
    # Of all four: means 2 and 500, deviations sqrt(2) and 200 * sqrt(2).
    np.testing.assert_allclose(
        layer(np.array([[4.0, 100.0]])), [[2**0.5, -(2**0.5)]], rtol=1e-6
    )
    assert float(layer.count) == 4


def test_values_are_clipped_and_constants_are_zero():
    layer = built(clip=3.0)
    layer.update(np.array([[0.0, 7.0], [2.0, 7.0]]))
    np.testing.assert_allclose(
        layer(np.array([[100.0, 7.0], [-100.0, 7.0]])),
        [[3.0, 0.0], [-3.0, 0.0]],
    )


def test_no_step_of_training_changes_the_statistics():
    layer = rlk.layers.RunningNormalization()
    model = keras.Sequential([keras.Input((2,)), layer, keras.layers.Dense(1)])
    layer.update(SEEN)
    model.compile("adam", "mse")
    before = [np.array(w) for w in layer.weights]
    model.fit(MORE, np.ones(2), epochs=2, verbose=0)
    for old, new in zip(before, layer.weights, strict=True):
        np.testing.assert_array_equal(np.array(new), old)
    assert not layer.trainable_weights


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_normalises_in_float32(dtype):
    # 100,000 is inf in float16, and 100,001 is 100,352 in bfloat16.
    layer = rlk.layers.RunningNormalization(dtype=dtype)
    model = keras.Sequential([keras.Input((1,)), layer])
    layer.update(np.array([[100_000.0], [100_002.0]]))
    output = model(np.array([[100_002.0], [100_001.0]], "float32"))
    assert keras.backend.standardize_dtype(output.dtype) == dtype[6:]
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(keras.ops.cast(output, "float32")),
        [[1.0], [0.0]],
    )
    assert {w.dtype for w in layer.weights} == {"float32"}
    assert model.outputs[0].dtype == dtype[6:]


def test_integers_and_axes_of_any_number():
    layer = rlk.layers.RunningNormalization()
    inputs = keras.Input((2, 3), dtype="uint8")
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, 2, 3)
    assert layer.compute_output_shape((5, 2, 3)) == (5, 2, 3)
    frames = np.arange(12, dtype="uint8").reshape(2, 2, 3)
    layer.update(frames)
    np.testing.assert_allclose(
        model.predict(frames, verbose=0), [-np.ones((2, 3)), np.ones((2, 3))]
    )


def test_files_and_copies_keep_the_statistics(tmp_path):
    layer = rlk.layers.RunningNormalization(clip=0.75, name="normalise")
    model = keras.Sequential([keras.Input((2,)), layer, keras.layers.Dense(2)])
    layer.update(SEEN)
    expected = model.predict(MORE, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(loaded.predict(MORE, verbose=0), expected)
    copy = loaded.get_layer("normalise")
    assert copy.get_config() == layer.get_config()
    copy.update(MORE)
    assert float(copy.count) == 4
    agent = rlk.models.DoubleDQN(model)
    np.testing.assert_allclose(agent.target_q(MORE), expected, rtol=1e-6)


def test_bad_input():
    with pytest.raises(ValueError, match="`clip` must be a positive"):
        rlk.layers.RunningNormalization(clip=0)
    with pytest.raises(ValueError, match=r"known shape.*\(None, None, 3\)"):
        rlk.layers.RunningNormalization().build((None, None, 3))
    with pytest.raises(ValueError, match=r"must come first.*\(3,\).*\(2,\)"):
        built().update(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="built for None"):
        rlk.layers.RunningNormalization().update(np.zeros((4, 3)))


CONTRACT = {
    rlk.layers.RunningNormalization: {
        "arguments": {"clip": 2.0},
        "bad": {"clip": [0, -1.0, float("nan")]},
    }
}
