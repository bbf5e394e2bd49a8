"""A buffer with priorities: what is drawn, updated, saved and drawn ahead."""

import keras
import numpy as np
import pytest

from keras_rlkit.replay import Prioritized, ReplayBuffer

NO = np.array([False])
SCHEDULE = keras.optimizers.schedules.PolynomialDecay(0.4, 500, 1.0)


def make(capacity=8, sampler=None, **arguments):
    sampler = sampler or Prioritized(alpha=1.0, epsilon=1.0)
    return ReplayBuffer(
        capacity, (2,), "float32", sampler=sampler, seed=0, **arguments
    )


def play(buffer, count):
    """Adds steps whose observation and reward are their number."""
    for _ in range(count):
        number = buffer._ring.added
        now = np.full((1, 2), number, "float32")
        buffer.add(now, np.array([0]), np.array([number]), NO, NO, now + 1)


def content(buffer, batches=3):
    """Everything that can be seen of a buffer, draws included."""
    seen = [buffer.priorities().tolist()]
    for _ in range(batches):
        observation, rest, weight = buffer.feed.draw(4)
        seen += [observation.tolist(), rest["index"].tolist(), weight.tolist()]
    return seen


def test_a_batch_tells_its_transitions_and_weights():
    buffer = make()
    play(buffer, 10)
    buffer.update_priorities(np.arange(2, 10), np.linspace(-1, 1, 8))
    for batch in (buffer.sample(5), buffer.feed.draw(5)):
        observation, rest, weight = batch
        assert observation[:, 0].tolist() == rest["index"].tolist()
        assert rest["reward"].tolist() == rest["index"].tolist()
        assert rest["index"].dtype == np.int64
        assert weight.dtype == np.float32 and weight.shape == (5,)
        assert weight.max() == 1


def test_blanks_have_the_form_of_batches():
    buffer = make()
    blank = buffer.feed.blank(3)
    play(buffer, 5)
    drawn = buffer.feed.draw(3)
    assert len(blank) == len(drawn) == 3
    assert set(blank[1]) == set(drawn[1])
    assert blank[2].tolist() == [1, 1, 1]
    for zeros, values in [
        (blank[0], drawn[0]),
        (blank[2], drawn[2]),
        *((blank[1][name], drawn[1][name]) for name in drawn[1]),
    ]:
        assert (zeros.shape, zeros.dtype) == (values.shape, values.dtype)


def test_priorities_are_those_of_the_transitions_that_are_stored():
    buffer = make(capacity=4)
    play(buffer, 4)
    buffer.update_priorities(np.arange(4), np.array([1.0, -2.0, 3.0, 4.0]))
    assert buffer.priorities().tolist() == [2.0, 3.0, 4.0, 5.0]
    play(buffer, 2)
    assert buffer.priorities().tolist() == [4.0, 5.0, 5.0, 5.0]
    # Of these, 0 and 1 are no longer there, 4 and 5 are in their places.
    buffer.update_priorities(np.arange(4), np.array([9.0, 9.0, 0.0, 0.5]))
    assert buffer.priorities().tolist() == [1.0, 1.5, 5.0, 5.0]


def test_transitions_that_had_to_make_room_are_never_drawn():
    # Each step is an episode of two large frames: more than there is room for.
    buffer = ReplayBuffer(100, (32, 32), "uint8", sampler=Prioritized(), seed=0)
    for number in range(300):
        now = np.full((1, 32, 32), number % 125 + 1, "uint8")
        reward, end = np.array([float(number)]), np.array([True])
        buffer.add(now, np.array([0]), reward, end, NO, now + 125)
        if number % 10 == 9:
            index = buffer.sample(8)[1]["index"]
            buffer.update_priorities(index, np.full(8, 2.0))
    assert 40 < len(buffer) < 100
    assert len(buffer.priorities()) == len(buffer)
    assert (buffer.priorities() > 0).all()
    drawn = [buffer.sample(40)[1]["index"] for _ in range(40)]
    assert set(np.concatenate(drawn)) == set(range(300 - len(buffer), 300))


def test_a_sampler_without_priorities():
    buffer = ReplayBuffer(8, (2,), "float32", seed=0)
    play(buffer, 3)
    for call in (
        lambda: buffer.update_priorities(np.array([0]), np.array([1.0])),
        buffer.priorities,
    ):
        with pytest.raises(
            ValueError,
            match="`sampler` must keep priorities for this. Received: "
            "sampler=Uniform. Make the buffer with `sampler=keras_rlkit.rep",
        ):
            call()
    assert not buffer.has_priorities and make().has_priorities
    assert len(buffer.sample(2)) == 2


def test_memory_counts_the_priorities():
    plain = ReplayBuffer(1_000, (2,), "float32")
    priorities = make(1_000).nbytes - plain.nbytes
    assert 8 * 1_000 <= priorities < 9 * 1_000


@pytest.mark.parametrize("beta", [0.5, SCHEDULE])
@pytest.mark.parametrize("steps", [0, 3, 8, 21])
def test_a_loaded_buffer_continues_as_the_saved_one(tmp_path, beta, steps):
    buffer = make(sampler=Prioritized(0.7, beta, 0.01), n_step=2)
    generator = np.random.default_rng(0)
    for _ in range(steps):
        play(buffer, 1)
        if len(buffer) >= 4:
            for _ in range(30):
                index = buffer.sample(4)[1]["index"]
            buffer.update_priorities(index, generator.normal(size=4))
    # Something that came since the sampler was last called.
    play(buffer, 2)
    buffer.save(tmp_path / "replay")
    loaded = ReplayBuffer.load(tmp_path / "replay")
    assert loaded.sampler.get_config() == buffer.sampler.get_config()
    for _ in range(3):
        for replay in (buffer, loaded):
            play(replay, 5)
        assert content(buffer) == content(loaded)
        index, error = buffer.feed.draw(4)[1]["index"], generator.normal(size=4)
        loaded.feed.draw(4)
        for replay in (buffer, loaded):
            replay.update_priorities(index, error)


def batches_of(buffer, kind, prefetch):
    if kind == "dataset":
        return iter(buffer.dataset(4, prefetch=prefetch))
    items = buffer.batches(4, prefetch=prefetch)
    return (items[number] for number in range(10**6))


@pytest.mark.parametrize(
    "kind",
    [pytest.param("dataset", marks=pytest.mark.tensorflow_only), "batches"],
)
@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_drawing_ahead_depends_on_the_order_of_calls_alone(kind, prefetch):
    def run():
        buffer = make(sampler=Prioritized(beta=SCHEDULE))
        play(buffer, 6)
        seen = []
        for number, batch in zip(
            range(120), batches_of(buffer, kind, prefetch), strict=False
        ):
            _, rest, weight = batch
            index = np.asarray(rest["index"])
            seen.append((index.tolist(), np.asarray(weight).tolist()))
            buffer.update_priorities(index, np.cos(number + index))
            play(buffer, number % 3)
        return seen, buffer.priorities().tolist()

    first = run()
    assert run() == first
    drawn, _ = first
    assert len({tuple(index) for index, _ in drawn}) > 50


@pytest.mark.parametrize("prefetch", [1, 3])
def test_what_was_drawn_ahead_saw_the_priorities_before(prefetch):
    buffer = make(sampler=Prioritized(alpha=1.0, epsilon=1e-9))
    play(buffer, 8)
    batches = buffer.batches(4, prefetch=prefetch)
    batches[0]
    # From now on only transition 5 is ever drawn.
    buffer.update_priorities(np.arange(8), np.where(np.arange(8) == 5, 1e9, 0))
    drawn = [
        set(batches[1 + number][1]["index"]) for number in range(prefetch + 3)
    ]
    assert all(len(numbers) > 1 for numbers in drawn[:prefetch])
    assert all(numbers == {5} for numbers in drawn[prefetch:])


def test_an_update_waits_for_a_draw_in_another_thread():
    buffer = make()
    play(buffer, 8)
    futures = [buffer.feed.draw_later(4) for _ in range(20)]
    buffer.update_priorities(np.arange(8), np.ones(8))
    assert all(future.done() for future in futures)
