import gc
import weakref

import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.policies.forward import _COMPILED, forward

ON_JAX = keras.backend.backend() == "jax"

OBSERVATIONS = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


def make_model(*layers):
    model = keras.Sequential(
        [keras.Input((3,)), *layers, keras.layers.Dense(2)]
    )
    model.compile("sgd", "mse")
    return model


def taken_by_keras(monkeypatch):
    """A list to which every call of Keras' own method is added."""
    calls = []
    original = keras.Model.predict_on_batch

    def noted(self, x):
        calls.append(x)
        return original(self, x)

    monkeypatch.setattr(keras.Model, "predict_on_batch", noted)
    return calls


@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("count", [1, 5])
def test_it_gives_what_keras_gives(count, jit_compile):
    normalization = keras.layers.BatchNormalization()
    model = make_model(normalization, keras.layers.Dropout(0.5))
    model.compile("sgd", "mse", jit_compile=jit_compile)
    normalization.moving_mean.assign([1.0, 2.0, 3.0])
    expected = model.predict_on_batch(OBSERVATIONS[:count])
    for _ in range(2):
        result = forward(model, OBSERVATIONS[:count])
        assert isinstance(result, np.ndarray)
        np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_it_does_not_call_keras_slower_way(monkeypatch):
    model, calls = make_model(), taken_by_keras(monkeypatch)
    forward(model, OBSERVATIONS)
    assert not calls


def test_several_outputs_keep_their_structure():
    inputs = keras.Input((3,))
    outputs = {"a": keras.layers.Dense(2)(inputs), "b": inputs}
    model = keras.Model(inputs, outputs)
    result = forward(model, OBSERVATIONS)
    assert set(result) == {"a", "b"}
    np.testing.assert_array_equal(result["b"], OBSERVATIONS)


def test_new_weights_count_at_once():
    model = make_model()
    forward(model, OBSERVATIONS)
    model.set_weights([np.ones((3, 2)), np.zeros(2)])
    expected = np.repeat(OBSERVATIONS.sum(1, keepdims=True), 2, axis=1)
    np.testing.assert_allclose(
        forward(model, OBSERVATIONS), expected, rtol=1e-5
    )


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_within_fit_the_newest_weights_count(steps_per_execution):
    model = make_model()
    model.compile(
        keras.optimizers.SGD(0.1),
        "mse",
        steps_per_execution=steps_per_execution,
    )
    seen = []

    class Act(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            # `self.model` would already fetch the variables.
            output = forward(model, OBSERVATIONS)
            kernel, bias = model.get_weights()
            np.testing.assert_allclose(
                output, OBSERVATIONS @ kernel + bias, rtol=1e-4, atol=1e-6
            )
            seen.append(output)

    x = np.repeat(OBSERVATIONS, 4, axis=0)
    model.fit(
        x, np.ones((20, 2)), 5, callbacks=[Act()], shuffle=False, verbose=0
    )
    assert len(seen) == 4 // steps_per_execution
    assert (seen[0] != seen[1]).any()
    twin = make_model()
    twin.set_weights(model.get_weights())
    np.testing.assert_allclose(
        forward(model, OBSERVATIONS), twin.predict_on_batch(OBSERVATIONS)
    )


def test_random_layers_go_on_drawing():
    @keras.saving.register_keras_serializable("tests")
    class Noise(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.generator = keras.random.SeedGenerator(0)

        def call(self, x):
            noise = keras.random.normal(keras.ops.shape(x), seed=self.generator)
            return x + noise

    noise, twin_noise = Noise(), Noise()
    model, twin = make_model(noise), make_model(twin_noise)
    twin.set_weights(model.get_weights())
    for _ in range(3):
        np.testing.assert_allclose(
            forward(model, OBSERVATIONS),
            twin.predict_on_batch(OBSERVATIONS),
            rtol=1e-6,
        )
    np.testing.assert_array_equal(
        noise.generator.state.value, twin_noise.generator.state.value
    )


def test_what_is_not_plain_is_left_to_keras(monkeypatch):
    calls = taken_by_keras(monkeypatch)
    eager = make_model()
    eager.compile("sgd", "mse", run_eagerly=True)
    forward(eager, OBSERVATIONS)
    assert len(calls) == (0 if ON_JAX else 1)

    class Own(keras.Sequential):
        def predict_on_batch(self, x):
            return "own"

    own = Own([keras.Input((3,)), keras.layers.Dense(2)])
    assert forward(own, OBSERVATIONS) == "own"


# A development version of Keras 3.16 takes rows for steps there.
@pytest.mark.parametrize(
    "options",
    [{}, {"jit_compile": False}, {"run_eagerly": True}],
    ids=str,
)
def test_rows_are_not_taken_for_steps_of_an_execution(options):
    model = make_model()
    expected = forward(model, OBSERVATIONS)
    model.compile("sgd", "mse", steps_per_execution=5, **options)
    np.testing.assert_allclose(
        forward(model, OBSERVATIONS), expected, rtol=1e-6
    )


def test_compiling_again_makes_another_function():
    class Doubled(keras.Sequential):
        factor = 2.0

        def predict_step(self, *arguments):
            output = super().predict_step(*arguments)
            if ON_JAX:
                return self.factor * output[0], output[1]
            return self.factor * output

    model = Doubled([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    first = forward(model, OBSERVATIONS)
    model.factor = 4.0
    model.compile("sgd", "mse")
    np.testing.assert_allclose(forward(model, OBSERVATIONS), 2 * first)


@pytest.mark.skipif(ON_JAX, reason="JAX looks at shapes itself")
def test_one_trace_serves_all_numbers_of_observations():
    traces = []

    class Counted(keras.layers.Layer):
        def call(self, x):
            traces.append(x.shape)
            return x

    model = make_model(Counted())
    del traces[:]
    for count in (1, 5, 3, 5):
        forward(model, OBSERVATIONS[:count])
    assert len(traces) == 1


@pytest.mark.skipif(ON_JAX, reason="JAX looks at dtypes itself")
def test_each_dtype_has_a_function_of_its_own(monkeypatch):
    model, calls = make_model(), taken_by_keras(monkeypatch)
    pixels = np.array([[1, 2, 3]], "uint8")
    expected = forward(model, pixels.astype("float32"))
    np.testing.assert_allclose(forward(model, pixels), expected)
    doubles = pixels.astype("float64")
    np.testing.assert_allclose(forward(model, doubles), expected)
    assert not calls


@pytest.mark.skipif(ON_JAX, reason="TensorFlow's strategies")
def test_a_distributed_model_is_left_to_keras(monkeypatch):
    import tensorflow as tf

    calls = taken_by_keras(monkeypatch)
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        model = make_model()
    forward(model, OBSERVATIONS)
    assert len(calls) == 1


def test_a_model_that_is_gone_leaves_nothing():
    model = make_model()
    forward(model, OBSERVATIONS)
    gc.collect()
    before, gone = len(_COMPILED), weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert len(_COMPILED) == before - 1


def test_policies_act_by_it(monkeypatch):
    model, calls = make_model(), taken_by_keras(monkeypatch)
    actions = rlk.policies.Greedy()(model, OBSERVATIONS, 0)
    assert not calls
    expected = model.predict_on_batch(OBSERVATIONS).argmax(1)
    np.testing.assert_array_equal(actions, expected)
