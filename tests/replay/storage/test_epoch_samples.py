import numpy as np
import pytest

from tests.replay.episodes import add, new_buffer, values_are


def test_returns_of_a_terminated_episode_by_hand():
    buffer = new_buffer()
    for step in range(3):
        add(buffer, step, 1.0, terminated=step == 2)
    observation, action, weight = buffer.samples()
    np.testing.assert_array_equal(observation, [[0], [1], [2]])
    np.testing.assert_allclose(weight, [1.75, 1.5, 1.0])
    assert (observation.dtype, action.dtype, weight.dtype) == (
        np.float32,
        np.int32,
        np.float32,
    )
    assert len(buffer) == 3


def test_time_limit_is_not_terminal():
    # Mean reward 2, for ever: 2 / (1 - 0.5) = 4.
    buffer = new_buffer()
    add(buffer, 0, 1.0)
    add(buffer, 1, 3.0, truncated=True)
    np.testing.assert_allclose(buffer.samples()[2], [1 + 0.5 * 5, 3 + 0.5 * 4])
    # With a value it is the value of the last observation.
    buffer.clear()
    add(buffer, 0, 1.0)
    add(buffer, 1, 3.0, truncated=True)
    buffer.finish(values_are({0: 9, 1: 9, 2: 10.0}))
    np.testing.assert_allclose(buffer.samples()[2], [1 + 0.5 * 8, 3 + 0.5 * 10])


def test_terminated_wins_over_truncated():
    buffer = new_buffer()
    add(buffer, 0, 3.0, terminated=True, truncated=True)
    np.testing.assert_allclose(buffer.samples()[2], [3.0])


def test_mean_reward_is_that_of_the_cut_episode_alone():
    buffer = new_buffer()
    add(buffer, 0, 100.0, terminated=True)
    add(buffer, 5, 1.0)
    add(buffer, 6, 1.0, truncated=True)
    np.testing.assert_allclose(buffer.samples()[2], [100.0, 2.0, 2.0])


def test_discount_of_one_ends_with_nothing():
    buffer = new_buffer(discount=1.0)
    add(buffer, 0, 1.0)
    add(buffer, 1, 3.0, truncated=True)
    np.testing.assert_allclose(buffer.samples()[2], [4.0, 3.0])


def test_environments_keep_apart_and_invalid_rows_are_dropped():
    # Environment 0 ends after one step and then only resets; environment 1
    # plays on.
    buffer = new_buffer(num_envs=2)
    add(buffer, [0, 10], [1.0, 2.0], terminated=[True, False])
    add(buffer, [1, 11], [50.0, 4.0], valid=[False, True])
    add(buffer, [5, 12], [8.0, 8.0], terminated=[True, True])
    observation, _, weight = buffer.samples()
    np.testing.assert_array_equal(observation[:, 0], [0, 10, 11, 5, 12])
    np.testing.assert_allclose(weight, [1.0, 6.0, 8.0, 8.0, 8.0])


def test_row_that_is_left_out_cuts_the_trajectory():
    buffer = new_buffer()
    add(buffer, 0, 1.0)
    add(buffer, 7, 99.0, valid=False)
    add(buffer, 20, 4.0, terminated=True)
    buffer.finish(values_are({0: 0, 1: 6.0, 20: 0}))
    np.testing.assert_allclose(buffer.samples()[2], [1 + 0.5 * 6, 4.0])


def test_advantages_by_hand():
    # Values 2, 4 and 8 of the three states; lambda 0.5: advantage of the last
    # step 1 + 0.5 * 8 - 4 = 1, of the first 1 + 0.5 * 4 - 2 + 0.25 * 1 = 1.25.
    buffer = new_buffer(lambda_=0.5)
    add(buffer, 0, 1.0)
    add(buffer, 1, 1.0, truncated=True)
    add(buffer, 7, 3.0, terminated=True)
    buffer.finish(values_are({0: 2.0, 1: 4.0, 2: 8.0, 7: 1.0}))
    observation, targets, weight = buffer.samples()
    np.testing.assert_allclose(targets["advantage"], [1.25, 1.0, 2.0])
    np.testing.assert_allclose(targets["value"], [2.0, 4.0, 1.0])
    np.testing.assert_allclose(targets["value_target"], [3.25, 5.0, 3.0])
    np.testing.assert_allclose(targets["log_probability"], [0, -1, -2])
    np.testing.assert_array_equal(weight, np.ones(3))
    assert targets["action"].dtype == np.int32


def test_rollout_that_stops_in_an_episode_counts_on_with_the_value():
    buffer = new_buffer(lambda_=1.0, num_envs=2)
    add(buffer, [0, 10], [1.0, 1.0])
    add(buffer, [1, 11], [1.0, 1.0], terminated=[False, True])
    table = {0: 0.0, 1: 0.0, 2: 8.0, 10: 0.0, 11: 0.0, 12: 1e6}
    buffer.finish(values_are(table))
    _, targets, _ = buffer.samples()
    np.testing.assert_allclose(targets["advantage"], [3.5, 1.5, 5.0, 1.0])


def test_long_rollout_against_a_loop():
    generator = np.random.default_rng(0)
    steps, num_envs, gamma, lambda_ = 37, 3, 0.9, 0.8
    reward = generator.normal(size=(steps, num_envs))
    terminated = generator.random((steps, num_envs)) < 0.1
    truncated = generator.random((steps, num_envs)) < 0.1
    table = generator.normal(size=2 * steps * num_envs + 9)
    buffer = new_buffer(gamma, lambda_=lambda_, num_envs=num_envs)
    # Every observation has a number of its own, the next ones too.
    number = 2 * np.arange(steps * num_envs).reshape(steps, num_envs)
    for t in range(steps):
        add(buffer, number[t], reward[t], terminated[t], truncated[t])
    buffer.finish(values_are(table))
    expected = np.zeros((steps, num_envs))
    for row in range(num_envs):
        for t in reversed(range(steps)):
            ended = terminated[t, row] or truncated[t, row] or t == steps - 1
            after = number[t, row] + 1 if ended else number[t + 1, row]
            after = 0.0 if terminated[t, row] else table[after]
            delta = reward[t, row] + gamma * after - table[number[t, row]]
            later = 0.0 if ended else expected[t + 1, row]
            expected[t, row] = delta + gamma * lambda_ * later
    _, targets, _ = buffer.samples()
    np.testing.assert_allclose(
        targets["advantage"], expected.ravel(), rtol=1e-4, atol=1e-5
    )


def test_standardize():
    buffer = new_buffer(discount=0.0, standardize=True)
    add(buffer, 0, 1.0)
    add(buffer, 1, 3.0, terminated=True)
    np.testing.assert_allclose(buffer.samples()[2], [-1.0, 1.0])
    buffer = new_buffer(discount=0.0, standardize=True, lambda_=0.0)
    add(buffer, 0, 1.0, terminated=True)
    add(buffer, 1, 3.0, terminated=True)
    buffer.finish(values_are({0: 5.0, 1: 5.0}))
    _, targets, _ = buffer.samples()
    np.testing.assert_allclose(targets["advantage"], [-1.0, 1.0])
    np.testing.assert_allclose(targets["value_target"], [1.0, 3.0])


@pytest.mark.parametrize("reward", [0.0, 1e-20, 0.1, 1e6])
@pytest.mark.parametrize("steps", [1, 7])
def test_standardizing_equal_returns_gives_zeros(reward, steps):
    buffer = new_buffer(discount=0.0, standardize=True)
    for step in range(steps):
        add(buffer, step, reward, terminated=True)
    np.testing.assert_array_equal(buffer.samples()[2], np.zeros(steps))
