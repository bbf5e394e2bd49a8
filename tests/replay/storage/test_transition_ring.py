import numpy as np
import pytest

from keras_rlkit.replay import Compressed, Disk, Memory
from keras_rlkit.replay.storage.observation_layout import ObservationLayout
from keras_rlkit.replay.storage.step_checks import Step
from keras_rlkit.replay.storage.transition_ring import TransitionRing

STEP = {
    "action": [np.array([0])],
    "reward": np.array([1.0]),
    "terminated": np.array([False]),
    "truncated": np.array([False]),
    "valid": np.array([True]),
}


def make(**arguments):
    return TransitionRing(
        **{
            "capacity": 10,
            "layout": ObservationLayout((4, 3), "uint8", 3),
            "num_envs": 1,
            "n_step": 1,
            "discount": 0.9,
            **arguments,
        }
    )


def add(store, now, then, **changes):
    def stack(numbers):
        return [np.repeat(np.array([[numbers]], "uint8"), 4, axis=1)]

    observations = {"observation": stack(now), "next_observation": stack(then)}
    store.add(Step(**{**STEP, **observations, **changes}))


def numbers(draw):
    """One list of frames for each row: those of both observations."""
    return draw.frames[0][..., 0].T.tolist()


def test_a_window_is_read_once_for_both_observations():
    store = make()
    for t in range(1, 4):
        add(store, [t, t + 1, t + 2], [t + 1, t + 2, t + 3])
    # Four frames hold both stacks of three.
    assert numbers(store.read(np.array([0, 2]), None)) == [
        [1, 2, 3, 4],
        [3, 4, 5, 6],
    ]
    add(store, [4, 5, 6], [9, 8, 7])
    # From a stack that is no window on, all six frames are read.
    assert numbers(store.read(np.array([2, 3]), None)) == [
        [3, 4, 5, 4, 5, 6],
        [4, 5, 6, 9, 8, 7],
    ]


def test_joined_steps_read_both_observations():
    store = make(n_step=2)
    add(store, [1, 2, 3], [2, 3, 4])
    assert store.size == 0
    add(store, [2, 3, 4], [3, 4, 5])
    draw = store.read(np.array([0]), None)
    assert numbers(draw) == [[1, 2, 3, 3, 4, 5]]
    assert draw.reward.tolist() == [np.float32(1.9)]
    assert draw.discount.tolist() == [np.float32(0.81)]


def test_weights_and_numbers_are_handed_through():
    store = make()
    add(store, [1, 2, 3], [2, 3, 4])
    index, weight = np.array([0, 0]), np.array([0.5, 1.0], "float32")
    draw = store.read(index, weight)
    assert draw.index is index and draw.weight is weight
    dtypes = [draw.action.dtype, draw.reward.dtype, draw.discount.dtype]
    assert dtypes == ["int32", "float32", "float32"]


def test_transitions_are_numbered_through():
    store = make(capacity=4)
    for t in range(11):
        step = {"action": [np.array([t])]}
        add(store, [t, t + 1, t + 2], [t + 1, t + 2, t + 3], **step)
    assert (store.added, store.size) == (11, 4)
    draw = store.read(np.arange(7, 11), None)
    assert draw.action.tolist() == [7, 8, 9, 10]


def test_a_step_that_is_refused_changes_nothing():
    store = make()
    add(store, [1, 2, 3], [2, 3, 4])
    before = {name: array.copy() for name, array in store.arrays().items()}
    counters = store.counters()
    with pytest.raises(
        ValueError,
        match="`valid` may be False only for an environment whose episode has "
        r"ended. Received: valid=False within an episode of environments \[0\]",
    ):
        add(store, [2, 3, 4], [3, 4, 5], valid=np.array([False]))
    assert store.counters() == counters
    for name, array in store.arrays().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    "storage", [Memory(), Compressed(), Disk()], ids=lambda s: type(s).__name__
)
@pytest.mark.parametrize("n_step", [1, 5])
@pytest.mark.parametrize("num_envs", [1, 8])
@pytest.mark.parametrize(
    "shape, dtype, stack",
    [
        ((84, 84, 4), "uint8", 4),
        ((4,), "float32", None),
        ((105, 80, 3), "uint8", 3),
        ({"a": (84, 84, 4), "b": (16,)}, "uint8", {"a": 4}),
    ],
)
def test_the_size_is_known_beforehand(
    storage, n_step, num_envs, shape, dtype, stack
):
    layout = {
        "capacity": 500,
        "layout": ObservationLayout(shape, dtype, stack),
        "num_envs": num_envs,
        "n_step": n_step,
    }
    store = make(**layout, storage=storage)
    held = sum(array.nbytes for array in store.arrays().values())
    size = TransitionRing.size_of(**layout, storage=storage)
    assert bool(size.disk) == isinstance(storage, Disk)
    if isinstance(storage, Compressed):
        # One segment is there from the start.
        held -= 2**20
    # Apart from the open windows of each environment, which are small.
    rest = held - sum(size)
    assert 0 <= rest <= num_envs * (n_step * 68 + 200)


def test_small_observations_have_room_for_any_episode_length():
    store = make(capacity=50)
    ended = {"terminated": np.array([True])}
    for t in range(200):
        # Six frames in each transition, none of them in another one.
        frames = [1 + (6 * t + part) % 250 for part in range(6)]
        add(store, frames[:3], frames[3:], **ended)
    assert store.size == 50
