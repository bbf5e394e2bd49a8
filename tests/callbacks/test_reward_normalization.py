import numpy as np

from keras_rlkit.callbacks.reward_normalization import RewardNormalization

ALL = np.array([True, True])
NONE = ~ALL


def test_scale_by_hand():
    normalization = RewardNormalization(num_envs=2, discount=0.5)
    normalization.add(np.array([2.0, 4.0]), NONE, ALL)
    # The first environment goes on, the second ends.
    normalization.add(np.array([2.0, 4.0]), np.array([False, True]), ALL)
    # The first isn't learned from, and begins anew after that.
    normalization.add(np.array([9.0, 4.0]), NONE, np.array([False, True]))
    normalization.add(np.array([2.0, 4.0]), NONE, ALL)
    # 2 and 4; 3 and 6; 4; 2 and 6.
    sums = np.array([2.0, 4.0, 3.0, 6.0, 4.0, 2.0, 6.0])
    np.testing.assert_allclose(normalization.scale(), 1 / np.std(sums))
    # Without further steps it stays; further ones count with all before.
    np.testing.assert_allclose(normalization.scale(), 1 / np.std(sums))
    normalization.begin_episodes()
    normalization.add(np.array([0.0, 0.0]), NONE, ALL)
    sums = np.append(sums, [0.0, 0.0])
    np.testing.assert_allclose(normalization.scale(), 1 / np.std(sums))


def test_equal_returns_stay_what_they_are():
    normalization = RewardNormalization(num_envs=2, discount=0.9)
    for _ in range(3):
        normalization.add(np.array([0.1, 0.1]), ALL, ALL)
    assert normalization.scale() == 1.0
    assert RewardNormalization(1, 0.9).scale() == 1.0


def test_a_state_goes_on():
    one, other = (RewardNormalization(2, 0.5) for _ in range(2))
    one.add(np.array([2.0, 4.0]), NONE, ALL)
    one.scale()
    other.set_state(one.get_state())
    for normalization in (one, other):
        normalization.add(np.array([1.0, -1.0]), NONE, ALL)
    assert other.scale() == one.scale()
    np.testing.assert_allclose(
        one.scale(), 1 / np.std([2.0, 4.0, 1 + 1.0, -1 + 2.0])
    )
