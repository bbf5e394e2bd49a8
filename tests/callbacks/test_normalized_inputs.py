import gymnasium
import keras
import numpy as np
import pytest
from gymnasium import spaces

import keras_rlkit as rlk
from keras_rlkit.callbacks.normalized_inputs import input_of


def layer_of(shape, name=None):
    layer = rlk.layers.RunningNormalization(name=name)
    layer.build((None, *shape))
    return layer


NEST = {
    "image": np.zeros((5, 2, 2)),
    "speed": np.ones((5, 3)),
    "rest": (np.full((5, 3), 2.0),),
}


def test_an_array_is_the_input():
    array = np.zeros((5, 3))
    assert input_of(layer_of((3,)), array) is array


def test_the_shape_or_the_name_decides():
    assert input_of(layer_of((2, 2)), NEST) is NEST["image"]
    assert input_of(layer_of((3,), "normal_speed"), NEST) is NEST["speed"]


@pytest.mark.parametrize("shape, count", [((3,), 2), ((4,), 0)])
def test_what_is_not_clear_is_refused(shape, count):
    with pytest.raises(ValueError, match=f"and {count} arrays of that shape"):
        input_of(layer_of(shape), NEST)


def test_statistics_are_of_the_array_that_the_layer_sees():
    class Two(gymnasium.Env):
        observation_space = spaces.Dict(
            {"a": spaces.Box(-99, 99, (2,)), "b": spaces.Box(-99, 99, (3,))}
        )
        action_space = spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.steps = 0
            return self.show(), {}

        def show(self):
            return {
                "a": np.full(2, 7, "float32"),
                "b": np.full(3, self.steps, "float32"),
            }

        def step(self, action):
            self.steps += 1
            return self.show(), 1.0, self.steps == 4, False, {}

    inputs = {"a": keras.Input((2,)), "b": keras.Input((3,))}
    normal = rlk.layers.RunningNormalization()
    features = keras.layers.Concatenate()([inputs["a"], normal(inputs["b"])])
    agent = rlk.models.ActorCritic(
        keras.Model(inputs, keras.layers.Dense(2)(features)),
        keras.Model(inputs, keras.layers.Dense(1)(features)),
    )
    agent.compile("adam")
    buffer = rlk.replay.EpisodeBuffer.for_environment(Two(), 0.9, lambda_=0.9)
    on_tensorflow = keras.backend.backend() == "tensorflow"
    agent.fit(
        (buffer.dataset if on_tensorflow else buffer.batches)(),
        verbose=0,
        callbacks=[
            rlk.callbacks.CollectRollout(
                Two(), buffer, rlk.policies.Categorical(), steps_per_epoch=8
            )
        ],
    )
    # Steps 0 to 3, twice.
    mean = keras.ops.convert_to_numpy(normal.mean)
    np.testing.assert_allclose(mean, [1.5] * 3)
