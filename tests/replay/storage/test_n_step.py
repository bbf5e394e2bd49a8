import numpy as np

from keras_rlkit.replay.storage.n_step import NStepAccumulator

DISCOUNT = 0.5


def push(accumulator, *rows):
    """Hand in one step; a row is (start, end, action, reward, ending)."""
    start, end, action, reward, ending = zip(*rows, strict=True)
    return accumulator.push(
        np.array([ending != "fake" for ending in ending]),
        np.array(start).reshape(-1, 1),
        np.array(end).reshape(-1, 1),
        np.array(action),
        np.array(reward),
        np.array([0 if e == "terminated" else DISCOUNT for e in ending]),
        np.array([e in ("terminated", "truncated") for e in ending]),
    )


def rows_of(finished):
    return [
        (int(environment), int(start[0]), int(end[0]), int(action), *rest)
        for environment, start, end, action, *rest in zip(
            finished.environment,
            finished.start,
            finished.end,
            finished.action,
            finished.reward.tolist(),
            finished.discount.tolist(),
            strict=True,
        )
    ]


def test_one_step_is_complete_at_once():
    accumulator = NStepAccumulator(num_envs=1, n_step=1, stack=1)
    finished = push(accumulator, (10, 11, 3, 2.0, ""))
    assert rows_of(finished) == [(0, 10, 11, 3, 2.0, 0.5)]
    finished = push(accumulator, (11, 12, 4, 8.0, "terminated"))
    assert rows_of(finished) == [(0, 11, 12, 4, 8.0, 0.0)]
    assert accumulator.count.tolist() == [0]


def test_three_steps():
    accumulator = NStepAccumulator(num_envs=1, n_step=3, stack=1)
    assert rows_of(push(accumulator, (10, 11, 0, 1.0, ""))) == []
    assert rows_of(push(accumulator, (11, 12, 1, 2.0, ""))) == []
    # 1 + 2 / 2 + 4 / 4, and a half to the power of three.
    finished = push(accumulator, (12, 13, 2, 4.0, ""))
    assert rows_of(finished) == [(0, 10, 13, 0, 3.0, 0.125)]
    finished = push(accumulator, (13, 14, 3, 8.0, ""))
    assert rows_of(finished) == [(0, 11, 14, 1, 6.0, 0.125)]


def test_an_end_closes_all_windows_oldest_first():
    for ending, future in (("truncated", 1), ("terminated", 0)):
        accumulator = NStepAccumulator(num_envs=1, n_step=3, stack=1)
        push(accumulator, (10, 11, 0, 1.0, ""))
        finished = push(accumulator, (11, 12, 1, 2.0, ending))
        assert rows_of(finished) == [
            (0, 10, 12, 0, 2.0, 0.25 * future),
            (0, 11, 12, 1, 2.0, 0.5 * future),
        ]
        # The next episode has nothing of this one.
        push(accumulator, (20, 21, 2, 16.0, ""))
        finished = push(accumulator, (21, 22, 3, 32.0, "terminated"))
        assert rows_of(finished)[0] == (0, 20, 22, 2, 32.0, 0.0)


def test_environments_do_not_mix():
    accumulator = NStepAccumulator(num_envs=3, n_step=2, stack=1)
    first = [(10, 11, 0, 1.0, ""), (20, 21, 1, 2.0, ""), (0, 0, 9, 9.0, "fake")]
    assert rows_of(push(accumulator, *first)) == []
    second = [
        (11, 12, 2, 4.0, ""),
        (21, 22, 3, 8.0, "truncated"),
        (30, 31, 4, 16.0, ""),
    ]
    assert rows_of(push(accumulator, *second)) == [
        (0, 10, 12, 0, 3.0, 0.25),
        (1, 20, 22, 1, 6.0, 0.25),
        (1, 21, 22, 3, 8.0, 0.5),
    ]
    assert accumulator.count.tolist() == [1, 0, 1]


def test_a_trajectory_that_breaks_off_is_cut():
    accumulator = NStepAccumulator(num_envs=2, n_step=3, stack=1)
    rows = [(10, 11, 0, 1.0, ""), (20, 21, 1, 2.0, "")]
    push(accumulator, *rows)
    rows = [(11, 12, 2, 4.0, ""), (21, 22, 3, 8.0, "")]
    push(accumulator, *rows)
    finished = accumulator.cut(np.array([True, False]), np.array([[12], [22]]))
    assert rows_of(finished) == [
        (0, 10, 12, 0, 3.0, 0.25),
        (0, 11, 12, 2, 4.0, 0.5),
    ]
    assert accumulator.count.tolist() == [0, 2]


def test_the_oldest_frame_that_is_needed():
    accumulator = NStepAccumulator(num_envs=2, n_step=2, stack=1)
    assert accumulator.oldest(default=77) == 77
    push(accumulator, (-1, 50, 0, 1.0, ""), (40, 41, 1, 1.0, ""))
    # -1 stands for the frame of zeros, which is never overwritten.
    assert accumulator.oldest(default=77) == 40
    push(accumulator, (50, 51, 0, 1.0, ""), (41, 42, 1, 1.0, "terminated"))
    assert accumulator.oldest(default=77) == 50


def test_state_continues_exactly():
    accumulator = NStepAccumulator(num_envs=1, n_step=3, stack=1)
    push(accumulator, (10, 11, 5, 1.0, ""))
    copy = NStepAccumulator(num_envs=1, n_step=3, stack=1)
    copy.restore({n: a.copy() for n, a in accumulator.state().items()})
    for continued in (accumulator, copy):
        push(continued, (11, 12, 6, 2.0, ""))
        finished = push(continued, (12, 13, 7, 4.0, ""))
        assert rows_of(finished) == [(0, 10, 13, 5, 3.0, 0.125)]
