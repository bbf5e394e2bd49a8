"""Batches of sequences, by hand and in all forms."""

import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.replay.feeding.batch_forms import copy_frames_last, to_batch
from keras_rlkit.replay.feeding.jax_layout import DeviceLayout
from keras_rlkit.replay.storage.draw import Draw
from keras_rlkit.replay.storage.observation_layout import ObservationLayout

# One of two steps with one before; another that ends after one, and has none.
DRAW = Draw(
    frames=(
        np.array(
            [[[1], [2], [3], [7], [7], [7]], [[2], [3], [4], [8], [8], [8]]]
        ),
        np.arange(12, dtype="float32").reshape(2, 6, 1),
    ),
    action=np.array([0, 1, 2, 5, 5, 5], "int32"),
    reward=np.array([0, 10, 20, 50, 50, 50], "float32"),
    discount=np.array([1, 1, 1, 0, 0, 0], "float32"),
    index=np.array([4, 9]),
    weight=np.array([1, 0.5], "float32"),
    burn_in=np.array([[True], [False]]),
    mask=np.array([[True, True], [True, False]]),
)
LAYOUT = ObservationLayout((1,), "int64", state_shape=((1,),))


def test_by_hand():
    inputs, rest, weight = to_batch(DRAW, LAYOUT)
    assert inputs.observation[..., 0].tolist() == [[1, 2, 3], [7, 7, 7]]
    assert inputs.state[0].tolist() == [[0], [3]]
    assert inputs.burn_in.tolist() == [[True], [False]]
    following = rest["next_observation"]
    assert following.observation[..., 0].tolist() == [[2, 3, 4], [8, 8, 8]]
    assert following.state[0].tolist() == [[6], [9]]
    assert following.burn_in.tolist() == [[True], [False]]
    assert rest["action"].tolist() == [[1, 2], [5, 5]]
    assert rest["reward"].tolist() == [[10, 20], [50, 50]]
    assert rest["discount"].tolist() == [[1, 1], [0, 0]]
    assert rest["mask"].tolist() == [[True, True], [True, False]]
    assert rest["index"].tolist() == [4, 9]
    assert weight.tolist() == [1, 0.5]
    assert set(rest) == {
        "action",
        "reward",
        "discount",
        "next_observation",
        "mask",
        "index",
    }


def filled(frame_stack=None, **arguments):
    """A buffer whose observations tell episode and step."""
    shape = (2,) if frame_stack is None else (2, frame_stack)
    replay = rlk.replay.ReplayBuffer(
        40,
        shape,
        "float32",
        num_envs=2,
        frame_stack=frame_stack,
        seed=3,
        sequence_length=3,
        state_shape=((2,),),
        **{"burn_in": 2, **arguments},
    )
    random = np.random.default_rng(0)
    episode, time = np.array([0, 100]), np.zeros(2, int)

    def observe():
        now = np.stack([episode, time], axis=1).astype("float32")
        if frame_stack is None:
            return now
        before = np.maximum(time[:, None] + np.arange(1 - frame_stack, 1), 0)
        return np.stack(
            [np.repeat(episode[:, None], frame_stack, 1), before], axis=1
        ).astype("float32")

    for _ in range(60):
        ends = random.random(2) < 0.2
        now, state = observe(), np.stack([episode, time], 1).astype("float32")
        time = time + 1
        replay.add(
            now,
            np.zeros(2, int),
            time.astype("float32"),
            ends,
            np.zeros(2, bool),
            observe(),
            state=(state,),
            next_state=(state + [0, 1],),
        )
        episode, time = episode + ends, np.where(ends, 0, time)
    return replay


def check(batch):
    """Check that all that is there follows each other in one episode."""
    inputs, rest = batch[0], batch[1]
    there = rest["mask"]
    if isinstance(inputs, rlk.utils.BurnInInput):
        there = np.concatenate([inputs.burn_in, there], axis=1)
    for row in range(len(there)):
        observation = np.asarray(inputs.observation[row])
        newest = observation if observation.ndim == 2 else observation[..., -1]
        steps = newest[there[row]]
        assert len(set(steps[:, 0])) == 1
        assert (np.diff(steps[:, 1]) == 1).all()
        np.testing.assert_array_equal(inputs.state[0][row], steps[0])
        following = rest["next_observation"]
        shown = np.asarray(following.observation[row])
        shown = shown if shown.ndim == 2 else shown[..., -1]
        np.testing.assert_array_equal(
            shown[there[row]], steps + np.float32([0, 1])
        )
        np.testing.assert_array_equal(
            following.state[0][row], steps[0] + np.float32([0, 1])
        )
        rewards = np.asarray(rest["reward"][row])[rest["mask"][row]]
        count = len(rewards)
        np.testing.assert_array_equal(rewards, steps[-count:, 1] + 1)


@pytest.mark.parametrize("frame_stack", [None, 3])
@pytest.mark.parametrize("storage", ["memory", "compressed", "disk"])
def test_sequences_are_what_was_added(frame_stack, storage):
    replay = filled(frame_stack, storage=storage)
    inputs, rest = replay.sample(30)
    check((inputs, rest))
    check(filled(frame_stack, storage=storage, burn_in=0).sample(30))
    assert inputs.burn_in.any() and not inputs.burn_in.all()
    assert not rest["mask"].all()


@pytest.mark.parametrize("frame_stack", [None, 3])
@pytest.mark.parametrize("burn_in", [0, 2])
@pytest.mark.parametrize(
    "sampler", [rlk.replay.Uniform, rlk.replay.Prioritized]
)
def test_data_sets_give_the_same(frame_stack, burn_in, sampler):
    expected = filled(frame_stack, burn_in=burn_in, sampler=sampler())
    drawn = [expected.sample(4) for _ in range(3)]
    replay = filled(frame_stack, burn_in=burn_in, sampler=sampler())
    if keras.backend.backend() == "tensorflow":
        batches = list(replay.dataset(4).take(3))
    else:
        data = replay.batches(4)
        batches = [data[number] for number in range(3)]
    for batch, same in zip(batches, drawn, strict=True):
        keras.tree.assert_same_structure(batch, same)
        for part, other in zip(
            keras.tree.flatten(batch), keras.tree.flatten(same), strict=True
        ):
            np.testing.assert_array_equal(np.asarray(part), other)


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="lays out with JAX"
)
def test_the_layout_on_a_device_gives_the_same():
    replay = filled(3)
    layout = DeviceLayout(replay.feed.layout, 2, None)
    batches = replay.feed.draw(4, layout=layout)
    expected = filled(3)
    for batch in batches:
        same = expected.feed.draw(4)
        for part, other in zip(
            keras.tree.flatten(batch), keras.tree.flatten(same), strict=True
        ):
            np.testing.assert_array_equal(np.asarray(part), other)


def test_copies_and_views_are_the_same():
    views = to_batch(DRAW, LAYOUT)
    copies = to_batch(DRAW, LAYOUT, copy_frames_last)
    for part, other in zip(
        keras.tree.flatten(views), keras.tree.flatten(copies), strict=True
    ):
        np.testing.assert_array_equal(part, other)


def test_a_saved_buffer_draws_on(tmp_path):
    replay = filled(3, sampler=rlk.replay.Prioritized())
    replay.save(tmp_path / "buffer")
    loaded = rlk.replay.ReplayBuffer.load(tmp_path / "buffer")
    assert loaded.sequence_length == 3
    assert loaded.burn_in == 2
    assert loaded.state_shape == ((2,),)
    for part, other in zip(
        keras.tree.flatten(replay.sample(8)),
        keras.tree.flatten(loaded.sample(8)),
        strict=True,
    ):
        np.testing.assert_array_equal(part, other)


def test_episodes_that_look_alike_are_told_apart():
    # Each begins with what the one before has ended with.
    replay = rlk.replay.ReplayBuffer(
        20,
        (1,),
        "float32",
        sequence_length=4,
        burn_in=3,
        state_shape=((1,),),
    )
    zeros = np.zeros((1, 1), "float32")
    for number in range(9):
        replay.add(
            zeros,
            np.zeros(1, int),
            np.array([number]),
            np.array([number % 3 == 2]),
            np.zeros(1, bool),
            zeros,
            state=(zeros,),
            next_state=(zeros,),
        )
    inputs, rest = replay.sample(9)
    for row in range(9):
        rewards = rest["reward"][row][rest["mask"][row]]
        # To the end of its three steps, and from their beginning.
        assert rewards[-1] % 3 == 2 and len(rewards) == 3 - rewards[0] % 3
        assert inputs.burn_in[row].sum() == rewards[0] % 3
