"""Training steps on sequences, by hand: R2D2 and PPO."""

import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.utils import BurnInInput, RecurrentInput

layers = keras.layers


def adding_network():
    """The state is the sum of what was seen: Q is it, and twice it."""
    network = keras.Sequential(
        [
            keras.Input((None, 1)),
            layers.SimpleRNN(
                1, activation=None, use_bias=False, return_sequences=True
            ),
            layers.Dense(2, use_bias=False),
        ]
    )
    network.set_weights(
        [np.ones((1, 1)), np.ones((1, 1)), np.array([[1.0, 2.0]])]
    )
    return network


def column(*numbers):
    return np.array([[[number] for number in numbers]], "float32")


def state(number):
    return (np.array([[number]], "float32"),)


BURN_IN = np.array([[True]])
OBSERVATION = BurnInInput(column(2, 1, 0.5), state(1), BURN_IN)
BATCH = {
    "action": np.array([[0, 1]]),
    "reward": np.array([[1, 2]], "float32"),
    "discount": np.array([[0.5, 0]], "float32"),
    "next_observation": BurnInInput(column(1, 0.5, 2), state(3), BURN_IN),
    "mask": np.ones((1, 2), bool),
}
# The burn-in makes 1 + 2 = 3 of the state, then come 4 and 4.5: Q(s, a) is 4
# and 2 * 4.5 = 9. The next observations make 4 of 3, then 4.5 and 6.5. Online
# the second action is the best; the target network values it 3 * 4.5 = 13.5.
TARGETS = 1 + 0.5 * 13.5, 2.0
ERRORS = TARGETS[0] - 4, TARGETS[1] - 9


def make_agent():
    agent = rlk.models.DoubleDQN(adding_network(), target_update_period=100)
    agent.target_weights[2].assign([[1.0, 3.0]])
    agent.compile(keras.optimizers.SGD(0.01), keras.losses.MeanSquaredError())
    return agent


def extended(inputs, **changes):
    """Return the same sequence with a step behind it."""
    more = np.concatenate([inputs.observation, column(7)], axis=1)
    return inputs._replace(observation=more, **changes)


def with_a_step_too_many():
    longer = {
        name: np.concatenate([BATCH[name], BATCH[name][:, -1:]], axis=1)
        for name in ("action", "reward", "discount")
    }
    longer["next_observation"] = extended(BATCH["next_observation"])
    longer["mask"] = np.array([[True, True, False]])
    return extended(OBSERVATION), longer


def with_a_burn_in_that_lacks_a_step():
    def shift(inputs):
        more = np.concatenate([column(9), inputs.observation], axis=1)
        return BurnInInput(more, inputs.state, np.array([[False, True]]))

    following = shift(BATCH["next_observation"])
    return shift(OBSERVATION), {**BATCH, "next_observation": following}


@pytest.mark.parametrize(
    "make",
    [
        lambda: (OBSERVATION, BATCH),
        with_a_step_too_many,
        with_a_burn_in_that_lacks_a_step,
    ],
)
def test_one_step_of_recurrent_replay(make):
    agent = make_agent()
    observation, batch = make()
    logs = agent.train_on_batch(observation, batch, return_dict=True)
    first, second = ERRORS
    assert logs["loss"] == pytest.approx((first**2 + second**2) / 2)
    assert logs["td_error"] == pytest.approx((abs(first) + abs(second)) / 2)
    assert logs["q_value"] == pytest.approx((8 + 9) / 2)
    kernel, recurrent, head = agent.q_network.get_weights()
    np.testing.assert_allclose(
        head, [[1 + 0.01 * first * 4, 2 + 0.01 * second * 4.5]], rtol=1e-5
    )
    # Without the burn-in's own gradient: 3 goes in as a number.
    gradient = first * 3 + second * 2 * (4 + 3)
    assert recurrent[0, 0] == pytest.approx(1 + 0.01 * gradient)
    gradient = first * 1 + second * 2 * (0.5 + 1)
    assert kernel[0, 0] == pytest.approx(1 + 0.01 * gradient)


def test_priorities_are_of_sequences():
    agent = make_agent()
    agent.keep_td_errors(2)
    observation, batch = with_a_step_too_many()
    twice = keras.tree.map_structure(
        lambda part: np.concatenate([part, part]), (observation, batch)
    )
    observation, batch = twice
    batch = {**batch, "index": np.array([7, 5])}
    agent.train_on_batch(observation, batch, np.array([1.0, 0.5], "float32"))
    index, td_error = agent.take_td_errors()
    assert index.tolist() == [7, 5]
    sizes = np.abs(ERRORS)
    expected = 0.9 * sizes.max() + 0.1 * sizes.mean()
    np.testing.assert_allclose(td_error, [expected] * 2, rtol=1e-6)


def test_weights_are_of_sequences():
    observation, batch = with_a_step_too_many()
    short = {**batch, "mask": np.array([[True, False, False]])}
    both = keras.tree.map_structure(
        lambda *parts: np.concatenate(parts),
        (observation, batch),
        (observation, short),
    )
    agent = make_agent()
    weight = np.array([0.5, 0.25], "float32")
    logs = agent.train_on_batch(*both, weight, return_dict=True)
    first, second = np.square(ERRORS)
    # A mean over the three steps that are there.
    expected = (0.5 * (first + second) + 0.25 * first) / 3
    assert logs["loss"] == pytest.approx(expected)


def test_a_mask_of_actions_is_of_each_step():
    agent = make_agent()
    only_first = np.array([[[True, False]] * 2])
    batch = {**BATCH, "action_mask": only_first, "next_action_mask": only_first}
    logs = agent.train_on_batch(OBSERVATION, batch, return_dict=True)
    errors = 1 + 0.5 * 4.5 - 4, 2 - 9
    assert logs["loss"] == pytest.approx(np.square(errors).mean())
    assert logs["q_value"] == pytest.approx((4 + 4.5) / 2)


def test_calling_and_the_target():
    agent = make_agent()
    output = agent(OBSERVATION)
    np.testing.assert_allclose(output["q_values"], [[[4, 8], [4.5, 9]]])
    np.testing.assert_allclose(output["state"][0], [[4.5]])
    np.testing.assert_allclose(
        agent.target_q(OBSERVATION), [[[4, 12], [4.5, 13.5]]]
    )
    # Sequences alone begin with zeros.
    np.testing.assert_allclose(
        agent(column(1, 2))["q_values"], [[[1, 2], [3, 6]]]
    )
    assert agent.num_actions == 2
    assert agent.state_shape == ((1,),)
    assert agent.output_shape == (None, 2)


def test_a_batch_of_single_steps_is_refused():
    batch = {name: part for name, part in BATCH.items() if name != "mask"}
    with pytest.raises(ValueError, match="learns from sequences"):
        make_agent().train_on_batch(OBSERVATION, batch)


def test_sequences_for_a_network_without_memory_are_refused():
    network = keras.Sequential([keras.Input((1,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="for networks with recurrent layers"):
        rlk.models.DoubleDQN(network)(OBSERVATION)


def test_a_file(tmp_path):
    agent = make_agent()
    agent.train_on_batch(OBSERVATION, BATCH)
    agent.save(tmp_path / "agent.keras")
    loaded = keras.saving.load_model(tmp_path / "agent.keras")
    np.testing.assert_array_equal(
        loaded(OBSERVATION)["q_values"], agent(OBSERVATION)["q_values"]
    )
    np.testing.assert_array_equal(
        loaded.target_q(OBSERVATION), agent.target_q(OBSERVATION)
    )


def ppo_networks(sequences):
    """A network without memory, over single steps or over sequences."""
    shape = (None, 2) if sequences else (2,)
    inputs = keras.Input(shape)
    policy, value = layers.Dense(3), layers.Dense(1)
    features = inputs
    if sequences:
        memory = layers.SimpleRNN(
            2, activation=None, use_bias=False, return_sequences=True
        )
        features = memory(inputs)
        memory.trainable = False
    model = keras.Model(
        inputs, {"policy": policy(features), "value": value(features)}
    )
    random = np.random.default_rng(3)
    if sequences:
        # It hands over what it sees and forgets it at once.
        memory.set_weights([np.eye(2), np.zeros((2, 2))])
    policy.set_weights([random.normal(size=(2, 3)), np.zeros(3)])
    value.set_weights([random.normal(size=(2, 1)), np.zeros(1)])
    agent = rlk.models.ActorCritic(model, clip=0.2, entropy_weight=0.1)
    agent.compile(keras.optimizers.SGD(0.1))
    return agent


@pytest.mark.parametrize("weighted", [False, True])
def test_steps_that_are_not_there_change_nothing(weighted):
    random = np.random.default_rng(0)
    size, length = 3, 4
    mask = np.arange(length) < np.array([[4], [2], [1]])
    observation = random.normal(size=(size, length, 2)).astype("float32")
    targets = {
        "action": random.integers(3, size=(size, length)),
        **{
            name: random.normal(size=(size, length)).astype("float32")
            for name in ("advantage", "value_target", "value")
        },
        "log_probability": -random.random((size, length)).astype("float32"),
    }
    inputs = RecurrentInput(
        observation,
        (np.zeros((size, 2), "float32"),),
    )
    sequences, single = ppo_networks(True), ppo_networks(False)
    weight = flat_weight = None
    there = mask
    if weighted:
        # As minibatches are filled up: the last one weighs nothing.
        weight = np.array([1.5, 1.5, 0.0], "float32")
        there = mask & (weight > 0)[:, None]
    logs = sequences.train_on_batch(
        inputs, {**targets, "mask": mask}, weight, return_dict=True
    )
    expected = single.train_on_batch(
        observation[there],
        {name: part[there] for name, part in targets.items()},
        flat_weight,
        return_dict=True,
    )
    for name in ("loss", "policy_loss", "value_loss", "entropy", "kl"):
        assert logs[name] == pytest.approx(expected[name], rel=1e-5), name
    own = [
        weight
        for layer in sequences.policy_network.layers
        if isinstance(layer, layers.Dense)
        for weight in layer.get_weights()
    ]
    for after, same in zip(own, single.policy_network.get_weights()):
        np.testing.assert_allclose(after, same, rtol=1e-5, atol=1e-7)
