"""Cases small enough to check by eye; the oracle has to pass them as well."""

import numpy as np
import pytest

from keras_rlkit.replay import ReplayBuffer
from tests.replay.oracle import OracleReplay, assert_batches_equal

# A step is (observation, action, reward, end, next_observation), an expected
# transition (observation, action, reward, discount, next_observation).


@pytest.fixture(params=[ReplayBuffer, OracleReplay])
def make(request):
    def make_buffer(capacity=10, observation_shape=(), discount=0.5, **options):
        return request.param(
            capacity, observation_shape, "int32", discount=discount, **options
        )

    return make_buffer


def add(buffer, *rows, valid=None):
    """Adds one step: a row for each environment."""
    observation, action, reward, end, next_observation = zip(*rows)
    buffer.add(
        np.array(observation, "int32"),
        np.array(action),
        np.array(reward),
        np.array([kind in ("terminated", "both") for kind in end]),
        np.array([kind in ("truncated", "both") for kind in end]),
        np.array(next_observation, "int32"),
        valid=None if valid is None else np.array(valid),
    )


def play(buffer, *steps):
    """Adds one step after the other of a single environment."""
    for step in steps:
        add(buffer, step)


def assert_holds(buffer, *transitions):
    observation, action, reward, discount, next_observation = zip(*transitions)
    expected = (
        np.array(observation, "int32"),
        {
            "action": np.array(action, "int32"),
            "reward": np.array(reward, "float32"),
            "discount": np.array(discount, "float32"),
            "next_observation": np.array(next_observation, "int32"),
        },
    )
    assert len(buffer) == len(transitions)
    assert_batches_equal(buffer.transitions(), expected)


def sampled_actions(buffer, batch_size, batches=100):
    drawn = [buffer.sample(batch_size)[1]["action"] for _ in range(batches)]
    return np.concatenate(drawn)


def test_action_reward_and_end_belong_to_the_state_they_follow(make):
    buffer = make()
    play(
        buffer,
        (10, 0, 1.0, "", 11),
        (11, 1, -2.0, "", 12),
        (12, 2, 3.0, "terminated", 13),
        (20, 3, 4.0, "", 21),
    )
    assert_holds(
        buffer,
        (10, 0, 1.0, 0.5, 11),
        (11, 1, -2.0, 0.5, 12),
        (12, 2, 3.0, 0.0, 13),
        (20, 3, 4.0, 0.5, 21),
    )


def test_time_limit_keeps_the_bootstrap_and_a_terminal_state_does_not(make):
    buffer = make()
    play(
        buffer,
        (10, 0, 1.0, "truncated", 11),
        (20, 1, 1.0, "terminated", 21),
        (30, 2, 1.0, "both", 31),
    )
    assert_holds(
        buffer,
        (10, 0, 1.0, 0.5, 11),
        (20, 1, 1.0, 0.0, 21),
        (30, 2, 1.0, 0.0, 31),
    )


def test_truncated_episode_keeps_its_own_final_observation(make):
    buffer = make(observation_shape=(2,), frame_stack=2)
    play(
        buffer,
        ([0, 1], 0, 1.0, "", [1, 2]),
        ([1, 2], 1, 1.0, "truncated", [2, 3]),
        ([0, 7], 2, 1.0, "", [7, 8]),
    )
    assert_holds(
        buffer,
        ([0, 1], 0, 1.0, 0.5, [1, 2]),
        ([1, 2], 1, 1.0, 0.5, [2, 3]),
        ([0, 7], 2, 1.0, 0.5, [7, 8]),
    )


@pytest.mark.parametrize(
    "first, second",
    [([0, 0, 7], [0, 7, 8]), ([7, 7, 7], [7, 7, 8]), ([3, 4, 7], [4, 7, 8])],
    ids=["zeros", "repeated", "not_cleared"],
)
def test_stack_does_not_reach_into_the_episode_before(make, first, second):
    buffer = make(observation_shape=(3,), frame_stack=3)
    play(
        buffer,
        ([1, 2, 3], 0, 1.0, "", [2, 3, 4]),
        ([2, 3, 4], 1, 1.0, "terminated", [3, 4, 5]),
        (first, 2, 1.0, "", second),
        (second, 3, 1.0, "truncated", [7, 8, 9]),
        ([0, 0, 5], 4, 1.0, "terminated", [0, 5, 6]),
    )
    assert_holds(
        buffer,
        ([1, 2, 3], 0, 1.0, 0.5, [2, 3, 4]),
        ([2, 3, 4], 1, 1.0, 0.0, [3, 4, 5]),
        (first, 2, 1.0, 0.5, second),
        (second, 3, 1.0, 0.5, [7, 8, 9]),
        ([0, 0, 5], 4, 1.0, 0.0, [0, 5, 6]),
    )


@pytest.mark.parametrize("capacity", [1, 2, 5])
def test_frame_that_stays_in_the_stack_is_not_overwritten(make, capacity):
    buffer = make(capacity, observation_shape=(2,), frame_stack=2)
    for t in range(60):
        # The newest frame stays, the oldest changes: not a moving window.
        play(buffer, ([100 + t, 9], t, 1.0, "", [101 + t, 9]))
        assert_holds(
            buffer,
            *[
                ([100 + s, 9], s, 1.0, 0.5, [101 + s, 9])
                for s in range(max(0, t + 1 - capacity), t + 1)
            ],
        )


def test_full_ring_keeps_the_newest_and_the_old_behind_them(make):
    buffer = make(capacity=3)
    steps = [(10 + t, t, float(t), "", 11 + t) for t in range(8)]
    rows = [(10 + t, t, float(t), 0.5, 11 + t) for t in range(8)]
    play(buffer, *steps[:4])
    assert_holds(buffer, *rows[1:4])
    assert set(sampled_actions(buffer, 3).tolist()) == {1, 2, 3}
    play(buffer, *steps[4:])
    assert_holds(buffer, *rows[5:8])
    assert set(sampled_actions(buffer, 3).tolist()) == {5, 6, 7}


def test_n_step_reward_and_power_of_the_discount(make):
    buffer = make(n_step=3)
    play(buffer, (10, 0, 1.0, "", 11), (11, 1, 2.0, "", 12))
    assert len(buffer) == 0
    play(buffer, (12, 2, 4.0, "", 13))
    assert_holds(buffer, (10, 0, 3.0, 0.125, 13))
    play(buffer, (13, 3, 8.0, "", 14))
    assert_holds(buffer, (10, 0, 3.0, 0.125, 13), (11, 1, 6.0, 0.125, 14))


@pytest.mark.parametrize(
    "end, two_steps, one_step",
    [("truncated", 0.25, 0.5), ("terminated", 0.0, 0.0)],
)
def test_n_step_stops_at_the_end_of_an_episode(make, end, two_steps, one_step):
    buffer = make(n_step=2)
    play(
        buffer,
        (10, 0, 1.0, "", 11),
        (11, 1, 2.0, "", 12),
        (12, 2, 4.0, end, 13),
        (20, 3, 100.0, "", 21),
        (21, 4, 1000.0, "", 22),
    )
    assert_holds(
        buffer,
        (10, 0, 2.0, 0.25, 12),
        (11, 1, 4.0, two_steps, 13),
        (12, 2, 4.0, one_step, 13),
        (20, 3, 600.0, 0.25, 22),
    )


def test_unreported_jump_cuts_the_trajectory_as_a_truncation(make):
    buffer = make(n_step=3)
    play(
        buffer,
        (10, 0, 1.0, "", 11),
        (11, 1, 2.0, "", 12),
        (30, 2, 4.0, "", 31),
    )
    assert_holds(buffer, (10, 0, 2.0, 0.25, 12), (11, 1, 2.0, 0.5, 12))
    play(buffer, (31, 3, 8.0, "terminated", 32))
    assert_holds(
        buffer,
        (10, 0, 2.0, 0.25, 12),
        (11, 1, 2.0, 0.5, 12),
        (30, 2, 8.0, 0.0, 32),
        (31, 3, 8.0, 0.0, 32),
    )


def test_transitions_stand_in_the_order_they_became_available(make):
    buffer = make(num_envs=2, n_step=2)
    add(buffer, (10, 0, 1.0, "", 11), (50, 1, 1.0, "", 51))
    add(buffer, (11, 2, 2.0, "terminated", 12), (51, 3, 2.0, "", 52))
    add(buffer, (20, 4, 4.0, "", 21), (52, 5, 4.0, "", 53))
    assert_holds(
        buffer,
        (10, 0, 2.0, 0.0, 12),
        (11, 2, 2.0, 0.0, 12),
        (50, 1, 2.0, 0.25, 52),
        (51, 3, 4.0, 0.25, 53),
    )


def test_rows_that_are_not_valid_leave_no_trace(make):
    buffer = make(num_envs=2, n_step=2)
    add(buffer, (10, 0, 1.0, "truncated", 11), (50, 1, 1.0, "", 51))
    # The first environment resets itself, the second one goes on.
    rows = [(11, 2, 9.0, "", 20), (51, 5, 2.0, "", 52)]
    add(buffer, *rows, valid=[False, True])
    add(buffer, (20, 4, 2.0, "", 21), (52, 5, 2.0, "", 53), valid=[True, True])
    assert_holds(
        buffer,
        (10, 0, 1.0, 0.5, 11),
        (50, 1, 2.0, 0.25, 52),
        (51, 5, 3.0, 0.25, 53),
    )


def test_capacity_below_the_number_of_environments(make):
    buffer = make(capacity=2, num_envs=3)
    rows = [(10, 0, 1.0, "", 11), (20, 1, 1.0, "", 21), (30, 2, 1.0, "", 31)]
    add(buffer, *rows)
    assert_holds(buffer, (20, 1, 1.0, 0.5, 21), (30, 2, 1.0, 0.5, 31))


def test_sampling_is_uniform_and_seeded(make):
    same, twin, other = (make(capacity=5, seed=seed) for seed in (1, 1, 2))
    for buffer in (same, twin, other):
        play(buffer, *[(t, t, 1.0, "", t + 1) for t in range(8)])
    actions = sampled_actions(same, 5, batches=1_000)
    np.testing.assert_array_equal(actions, sampled_actions(twin, 5, 1_000))
    assert np.any(actions != sampled_actions(other, 5, 1_000))
    values, counts = np.unique(actions, return_counts=True)
    np.testing.assert_array_equal(values, [3, 4, 5, 6, 7])
    # With replacement: five different ones happen in 4 % of the batches.
    sizes = [len(set(batch)) for batch in actions.reshape(-1, 5).tolist()]
    assert 10 < sizes.count(5) < 100
    # 1,000 each, with a standard deviation of 28.
    assert counts.min() > 800 and counts.max() < 1_200


def test_loaded_buffer_goes_on_where_the_saved_one_stopped(make, tmp_path):
    buffer = make(capacity=3, n_step=3, seed=4)
    play(buffer, *[(t, t, 1.0, "", t + 1) for t in range(6)])
    buffer.save(tmp_path / "replay")
    buffer.sample(3)
    buffer.save(tmp_path / "replay")
    loaded = type(buffer).load(str(tmp_path / "replay"))
    for continued in (buffer, loaded):
        play(continued, (6, 6, 5.0, "terminated", 7))
        assert_holds(
            continued,
            (4, 4, 2.75, 0.0, 7),
            (5, 5, 3.5, 0.0, 7),
            (6, 6, 5.0, 0.0, 7),
        )
    for _ in range(10):
        assert_batches_equal(loaded.sample(3), buffer.sample(3))
