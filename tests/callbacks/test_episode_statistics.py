import numpy as np

from keras_rlkit.callbacks.episode_statistics import EpisodeStatistics


def update(statistics, rewards, ends, valid):
    statistics.update(
        np.array(rewards), np.array(ends, bool), np.array(valid, bool)
    )


def test_rewards_and_steps_add_up_for_each_environment():
    statistics = EpisodeStatistics(num_envs=2)
    update(statistics, [1.0, 10.0], [0, 0], [1, 1])
    assert statistics.take() == ([], [])
    update(statistics, [2.0, 20.0], [1, 0], [1, 1])
    assert statistics.take() == ([3.0], [2])
    # Environment 0 begins anew, environment 1 goes on.
    update(statistics, [4.0, 30.0], [1, 1], [1, 1])
    assert statistics.take() == ([4.0, 60.0], [1, 3])


def test_taken_once():
    statistics = EpisodeStatistics(num_envs=1)
    update(statistics, [1.0], [1], [1])
    assert statistics.take() == ([1.0], [1])
    assert statistics.take() == ([], [])


def test_rows_that_are_not_valid_count_nothing():
    statistics = EpisodeStatistics(num_envs=2)
    update(statistics, [5.0, np.nan], [0, 1], [1, 0])
    assert statistics.take() == ([], [])
    update(statistics, [5.0, 2.0], [1, 1], [1, 1])
    assert statistics.take() == ([10.0, 2.0], [2, 1])


def test_sums_keep_the_precision_of_long_games():
    statistics = EpisodeStatistics(num_envs=1)
    update(statistics, [2.0**24], [0], [1])
    update(statistics, [1.0], [1], [1])
    # float32 would have lost the 1.
    assert statistics.take()[0] == [2.0**24 + 1]


def test_what_the_environment_tells_stands_above_the_sum():
    statistics = EpisodeStatistics(num_envs=3)
    one, none = np.ones(3, bool), np.zeros(3, bool)
    told = np.array([60.0, np.nan, 7.0])
    statistics.update(np.ones(3), none, one, None)
    # Row 2 isn't valid: what it tells is of no episode here.
    valid = np.array([True, True, False])
    statistics.update(np.ones(3), one, valid, told)
    assert statistics.take() == ([60.0, 2.0], [2, 2])
    # Nothing of it is left for the next episodes.
    statistics.update(np.ones(3), one, one, None)
    assert statistics.take() == ([1.0, 1.0, 2.0], [1, 1, 2])
