"""Neighbours of transitions, by hand and against looking everything up."""

import numpy as np

from keras_rlkit.replay.storage.step_links import StepLinks

NO_END = np.array([True])


def test_by_hand():
    links = StepLinks(capacity=10, num_envs=2, length=3, burn_in=2)
    # Environment 0 has 0, 2, 4 and, in a new episode, 6; environment 1 has
    # 1, 3, 5, 7, one episode.
    for first, continues in ((0, [False, False]), (2, [True, True])):
        links.add(
            np.arange(2), np.array([first, first + 1]), np.array(continues)
        )
    links.add(np.arange(2), np.array([4, 5]), np.array([True, True]))
    links.add(np.arange(2), np.array([6, 7]), np.array([False, True]))
    around = links.around(np.array([0, 4, 5, 6]), oldest=0)
    assert around.number.tolist() == [
        [0, 0, 0, 2, 4],
        [0, 2, 4, 4, 4],
        [1, 3, 5, 7, 7],
        [6, 6, 6, 6, 6],
    ]
    assert around.burn_in.tolist() == [
        [False, False],
        [True, True],
        [True, True],
        [False, False],
    ]
    assert around.mask.tolist() == [
        [True, True, True],
        [True, False, False],
        [True, True, False],
        [True, False, False],
    ]


def test_what_is_overwritten_is_no_neighbour():
    links = StepLinks(capacity=3, num_envs=1, length=2, burn_in=2)
    for number in range(5):
        links.add(np.array([0]), np.array([number]), NO_END & (number > 0))
    # 2 to 4 are stored; 1 came before 2, and its row holds 4 now.
    around = links.around(np.array([2, 4]), oldest=2)
    assert around.number.tolist() == [[2, 2, 2, 3], [2, 3, 4, 4]]
    assert around.burn_in.tolist() == [[False, False], [True, True]]
    # The buffer may have dropped more than was overwritten.
    assert links.around(np.array([3]), oldest=3).burn_in.tolist() == [
        [False, False]
    ]


def test_an_environment_that_paused_longer_than_the_ring():
    links = StepLinks(capacity=2, num_envs=2, length=2, burn_in=1)
    links.add(np.array([0]), np.array([0]), np.array([False, False]))
    for number in (1, 2, 3):
        links.add(np.array([1]), np.array([number]), np.array([True, True]))
    links.add(np.array([0]), np.array([4]), np.array([True, True]))
    around = links.around(np.array([3, 4]), oldest=3)
    assert around.number.tolist() == [[3, 3, 3], [4, 4, 4]]


def test_against_looking_everything_up():
    random = np.random.default_rng(4)
    for length, burn_in, capacity in ((4, 3, 30), (1, 0, 7), (5, 2, 6)):
        links = StepLinks(capacity, 3, length, burn_in)
        history: list[tuple[int, int]] = []
        episode = [0, 100, 200]
        for _ in range(120):
            environments = np.flatnonzero(random.random(3) < 0.8)
            continues = random.random(3) < 0.8
            for environment in environments:
                episode[environment] += not continues[environment]
            first = len(history)
            history += [(e, episode[e]) for e in environments]
            numbers = np.arange(first, len(history))
            links.add(environments, numbers, continues)
            oldest = max(0, len(history) - capacity)
            if not history:
                continue
            stored = np.arange(oldest, len(history))
            around = links.around(stored, oldest)
            for row, number in enumerate(stored):
                same = [n for n in stored if history[n] == history[number]]
                place = same.index(number)
                before = same[max(0, place - burn_in) : place]
                after = same[place : place + length]
                burns = around.burn_in[row] if burn_in else np.zeros(0, bool)
                assert burns.sum() == len(before)
                assert around.number[row, :burn_in][burns].tolist() == before
                counts = around.mask[row]
                assert around.number[row, burn_in:][counts].tolist() == after
                # What is there lies side by side.
                assert (np.diff(burns.astype(int)) >= 0).all()
                assert (np.diff(counts.astype(int)) <= 0).all()
