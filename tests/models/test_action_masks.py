"""Masks in training steps, by hand."""

import keras
import numpy as np
import pytest

import keras_rlkit as rlk


def table(values):
    """A network that looks Q values or logits up: one row per observation."""
    network = keras.Sequential(
        [
            keras.Input((), dtype="int32"),
            keras.layers.Embedding(len(values), len(values[0])),
        ]
    )
    network.set_weights([np.array(values, "float32")])
    return network


TRANSITION = {
    "action": np.array([0]),
    "reward": np.array([1.0], "float32"),
    "discount": np.array([0.5], "float32"),
    "next_observation": np.array([1], "int32"),
}


@pytest.mark.parametrize(
    "double, mask, target",
    [
        # Online prefers the third action, target the second.
        (True, [[1, 1, 1]], 1 + 0.5 * 5),
        (True, [[1, 1, 0]], 1 + 0.5 * 4),
        (False, [[1, 1, 1]], 1 + 0.5 * 7),
        (False, [[1, 0, 1]], 1 + 0.5 * 5),
        (False, [[1, 0, 0]], 1 + 0.5 * 4),
    ],
)
def test_one_step_of_q_learning(double, mask, target):
    agent = rlk.models.DoubleDQN(
        table([[0.0, 9.0, 8.0], [2.0, 1.0, 3.0]]), double=double
    )
    agent.target_weights[0].assign([[0.0, 0.0, 0.0], [4.0, 7.0, 5.0]])
    agent.compile(keras.optimizers.SGD(0.5), keras.losses.MeanSquaredError())
    batch = {
        **TRANSITION,
        "action_mask": np.array([[True, False, True]]),
        "next_action_mask": np.array(mask, bool),
    }
    logs = agent.train_on_batch(np.array([0], "int32"), batch, return_dict=True)
    assert logs["td_error"] == pytest.approx(target)
    # The largest one that is allowed in the observation itself.
    assert logs["q_value"] == pytest.approx(8.0)
    # Q(s, a) goes 2 * rate * error of the way; all others stay.
    values = agent.q_network.get_weights()[0]
    np.testing.assert_allclose(
        values, [[target, 9.0, 8.0], [2.0, 1.0, 3.0]], rtol=1e-6
    )


def test_a_terminal_state_may_forbid_everything():
    agent = rlk.models.DoubleDQN(table([[0.0, 1.0], [2.0, 3.0]]))
    agent.compile(keras.optimizers.SGD(0.5), keras.losses.MeanSquaredError())
    batch = {
        **TRANSITION,
        "discount": np.zeros(1, "float32"),
        "action_mask": np.ones((1, 2), bool),
        "next_action_mask": np.zeros((1, 2), bool),
    }
    logs = agent.train_on_batch(np.array([0], "int32"), batch, return_dict=True)
    assert logs["td_error"] == pytest.approx(1.0)
    assert np.isfinite(agent.q_network.get_weights()[0]).all()


def train(agent, batches, seed=0):
    for observation, targets, weight in batches:
        agent.train_on_batch(observation, targets, weight)
    return agent.get_weights()


def random_batches(kind, masked):
    generator = np.random.default_rng(0)
    for _ in range(3):
        mask = np.ones((16, 3), bool)
        observation = generator.integers(5, size=16).astype("int32")
        numbers = generator.normal(size=(4, 16)).astype("float32")
        targets = {"action": generator.integers(3, size=16)}
        if kind == "q":
            targets |= {
                "reward": numbers[0],
                "discount": np.full(16, 0.9, "float32"),
                "next_observation": observation[::-1],
            }
            masks = {"action_mask": mask, "next_action_mask": mask}
        else:
            names = ("advantage", "value_target", "value", "log_probability")
            targets |= dict(zip(names, numbers, strict=True))
            masks = {"action_mask": mask}
        yield observation, {**targets, **(masks if masked else {})}, None


def make_agent(kind):
    keras.utils.set_random_seed(0)
    rows = np.random.default_rng(1).normal(size=(5, 4))
    if kind == "q":
        agent = rlk.models.DoubleDQN(table(rows[:, :3]))
        agent.compile("adam", "huber")
    else:
        agent = rlk.models.ActorCritic(
            table(rows[:, :3]), table(rows[:, 3:]), clip=0.2, entropy_weight=0.1
        )
        agent.compile("adam")
    return agent


@pytest.mark.parametrize("kind", ["q", "policy"])
def test_a_mask_of_ones_changes_nothing_bit_for_bit(kind):
    plain, masked = (
        train(make_agent(kind), random_batches(kind, masked))
        for masked in (False, True)
    )
    for one, other in zip(plain, masked, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_gradient_reaches_a_forbidden_logit():
    agent = make_agent("policy")
    before = agent.policy_network.get_weights()[0]
    batches = []
    for observation, targets, weight in random_batches("policy", True):
        targets["action"] = targets["action"] % 2
        targets["action_mask"][:, 2] = False
        batches.append((observation, targets, weight))
    train(agent, batches)
    after = agent.policy_network.get_weights()[0]
    np.testing.assert_array_equal(after[:, 2], before[:, 2])
    assert np.isfinite(after).all() and (after[:, :2] != before[:, :2]).all()
