import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.models.target_weights import TargetWeights


def sequential():
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(3, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5, seed=0),
            keras.layers.Dense(4),
        ]
    )


def functional():
    inputs = keras.Input((6, 6, 2))
    features = keras.layers.Flatten()(inputs)
    left = keras.layers.Dense(4)(features)
    right = keras.layers.Dense(4, activation="tanh")(features)
    return keras.Model(inputs, keras.layers.Add()([left, right]))


class Scale(keras.layers.Layer):
    """Not registered, no config: nothing could make it again."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, inputs):
        return keras.ops.multiply(inputs, self.scale)


class Subclassed(keras.Model):
    """Takes no `training`, and holds what no file can."""

    def __init__(self):
        super().__init__()
        self.flatten = keras.layers.Flatten()
        self.half = keras.layers.Lambda(lambda x: x / 2)
        self.normalize = keras.layers.BatchNormalization()
        self.scale = Scale()
        self.dense = keras.layers.Dense(4, activation=lambda x: x + 0.25)

    def call(self, inputs):
        features = self.half(self.flatten(inputs))
        return self.dense(self.scale(self.normalize(features)))


def subclassed():
    network = Subclassed()
    network(observations())
    return network


def observations(seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(5, 6, 6, 2)).astype("float32")


def numpy_of(variables):
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.fixture(params=[sequential, functional, subclassed])
def network(request):
    keras.utils.set_random_seed(0)
    network = request.param()
    # Moving means and the like shall differ from those of a new network.
    network.set_weights([w + 0.1 for w in network.get_weights()])
    return network


def test_the_values_are_those_of_the_network_at_first(network):
    target = TargetWeights(network)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(
            target.call_network(network, observations())
        ),
        keras.ops.convert_to_numpy(network(observations(), training=False)),
    )


def test_nothing_is_shared_and_nothing_learns(network):
    target = TargetWeights(network)
    assert target.trainable_variables == []
    before = numpy_of(target.followers)
    values = keras.ops.convert_to_numpy(
        target.call_network(network, observations())
    )
    assert len(before) == len(network.weights)
    network.set_weights([w + 1 for w in network.get_weights()])
    for new, old in zip(numpy_of(target.followers), before, strict=True):
        np.testing.assert_array_equal(new, old)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(
            target.call_network(network, observations())
        ),
        values,
    )
    # Nor the other way: the call put nothing into the network.
    for new, old in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old + np.float32(1))


def test_whatever_is_frozen_later_weights_keep_their_places(network):
    target = TargetWeights(network)
    values = keras.ops.convert_to_numpy(
        target.call_network(network, observations())
    )
    network.layers[-1].trainable = False
    target.update(network, lambda own, online: own + 0 * online)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(
            target.call_network(network, observations())
        ),
        values,
    )


def train(agent, epochs=3):
    generator = np.random.default_rng(1)
    agent.fit(
        np.concatenate([observations(seed) for seed in range(4)]),
        {
            "action": generator.integers(4, size=20),
            "reward": generator.normal(size=20).astype("float32"),
            "discount": np.full(20, 0.9, "float32"),
            "next_observation": np.concatenate(
                [observations(seed) for seed in range(1, 5)]
            ),
        },
        batch_size=4,
        epochs=epochs,
        verbose=0,
    )


@pytest.mark.parametrize("options", [{}, {"steps_per_execution": 5}], ids=str)
def test_any_network_trains_against_its_target(network, options):
    agent = rlk.models.DoubleDQN(network, target_update_period=4)
    agent.compile(keras.optimizers.Adam(0.01), "huber", **options)
    start = numpy_of(agent.target_weights)
    train(agent, epochs=1)
    # Five steps, one copy after the fourth: the target is the network that
    # was, one step ago.
    after = network.get_weights()
    moved = [
        np.abs(weight - target).max()
        for weight, target in zip(
            after, numpy_of(agent.target_weights), strict=True
        )
    ]
    # Adam moves a weight by the learning rate at most.
    assert 0 < max(moved)
    trainable = [weight.trainable for weight in network.weights]
    assert max(m for m, t in zip(moved, trainable, strict=True) if t) < 0.02
    assert any(
        np.abs(new - old).max() > 0.02
        for new, old in zip(numpy_of(agent.target_weights), start, strict=True)
    )


@pytest.mark.parametrize("jit_compile", [True, False])
def test_a_whole_copy_shares_nothing(jit_compile):
    network = sequential()
    agent = rlk.models.DoubleDQN(network, target_update_rate=1.0)
    agent.compile("adam", "huber", jit_compile=jit_compile)
    train(agent, epochs=1)
    for own, online in zip(agent.target_weights, network.weights, strict=True):
        assert own.value is not online.value
        np.testing.assert_array_equal(*numpy_of([own, online]))
    # A step that gives its arrays away finds each of them once.
    agent.compile("adam", "huber", jit_compile=True)
    train(agent, epochs=1)


def test_values_by_hand():
    # Q = 2 * x / 2 * 3 + 0.25 = 3 x + 0.25, then the network's kernel moves.
    network = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Lambda(lambda x: x / 2),
            Scale(),
            keras.layers.Dense(
                1, kernel_initializer="ones", activation=lambda x: x + 0.25
            ),
        ]
    )
    network.layers[1].scale.assign([3.0])
    agent = rlk.models.DoubleDQN(network, target_update_rate=0.5)
    agent.target_weights[1].assign([[2.0]])
    network.layers[-1].kernel.assign([[4.0]])
    observation = np.array([[1.0], [2.0]], "float32")
    np.testing.assert_allclose(agent.target_q(observation), [[3.25], [6.25]])
    np.testing.assert_allclose(agent(observation), [[6.25], [12.25]])
    # Half of the way from 2 to 4.
    agent._update_target()
    np.testing.assert_allclose(agent.target_q(observation), [[4.75], [9.25]])


def test_calls_add_no_loss_and_see_fresh_noise():
    class Noise(keras.layers.Layer):
        """Draws at every call, as noisy networks do."""

        def __init__(self):
            super().__init__()
            self.seed_generator = keras.random.SeedGenerator(3)

        def call(self, inputs):
            self.add_loss(keras.ops.mean(inputs))
            return inputs + keras.random.normal(
                keras.ops.shape(inputs), seed=self.seed_generator
            )

    network = keras.Sequential(
        [
            keras.Input((2,)),
            Noise(),
            keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(1)),
        ]
    )
    agent = rlk.models.DoubleDQN(network)
    assert len(agent.target_weights) == len(agent._target.variables) == 2
    x = np.ones((3, 2), "float32")
    agent(x)
    before, losses = numpy_of(network.weights), len(agent.losses)
    calls = [agent.target_q, agent.target_q, agent, agent.target_q, agent]
    values = [keras.ops.convert_to_numpy(call(x)) for call in calls]
    for position, one in enumerate(values):
        assert all((one != other).any() for other in values[:position])
    agent(x)
    agent.target_q(x)
    assert losses == 2 and len(agent.losses) <= losses
    for new, old in zip(numpy_of(network.weights), before, strict=True):
        np.testing.assert_array_equal(new, old)
    assert [weight.name for weight in agent.target_weights] == [
        "target_kernel",
        "target_bias",
    ]


@pytest.fixture
def dtype_policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("dtype_policy", ["bfloat16", "float16"], indirect=True)
@pytest.mark.parametrize("make", [sequential, functional, subclassed])
def test_short_weights_are_followed_in_float32(make, dtype_policy):
    network = make()
    target = TargetWeights(network)
    assert {w.dtype for w in target.followers} == {"float32"}
    # What is computed is the same, in the same type.
    ours = target.call_network(network, observations())
    theirs = network(observations())
    assert keras.backend.standardize_dtype(ours.dtype) == dtype_policy
    np.testing.assert_array_equal(
        *(
            keras.ops.convert_to_numpy(keras.ops.cast(part, "float32"))
            for part in (ours, theirs)
        )
    )


@pytest.mark.parametrize(
    "dtype_policy", ["mixed_bfloat16", "mixed_float16"], indirect=True
)
def test_mixed_precision_computes_as_the_network_does(dtype_policy):
    network = sequential()
    target = TargetWeights(network)
    assert {w.dtype for w in target.followers} == {"float32"}
    ours = target.call_network(network, observations())
    assert keras.backend.standardize_dtype(ours.dtype) in dtype_policy
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(keras.ops.cast(ours, "float32")),
        keras.ops.convert_to_numpy(
            keras.ops.cast(network(observations()), "float32")
        ),
    )


def test_files_hold_the_target(tmp_path):
    agent = rlk.models.DoubleDQN(functional())
    for weight in agent.target_weights:
        weight.assign(weight + 1)
    expected = keras.ops.convert_to_numpy(agent.target_q(observations()))
    agent.save(tmp_path / "agent.keras")
    agent.save_weights(tmp_path / "agent.weights.h5")
    loaded = keras.saving.load_model(tmp_path / "agent.keras", safe_mode=True)
    other = rlk.models.DoubleDQN(functional())
    other.load_weights(tmp_path / "agent.weights.h5")
    for again in (loaded, other):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(again.target_q(observations())),
            expected,
            rtol=1e-6,
        )


def test_the_summary_shows_one_network(capsys):
    agent = rlk.models.DoubleDQN(functional())
    agent.summary()
    shown = capsys.readouterr().out
    assert shown.count("(Functional)") == 1
    assert "target_weights" in shown


def test_a_subclassed_network_tells_its_actions():
    agent = rlk.models.DoubleDQN(subclassed())
    assert agent.num_actions == 4
    assert agent.input_shape == (None, 6, 6, 2)
    assert agent.output_shape == (None, 4)
