import json

import keras
import numpy as np
import pytest
import scipy.stats

from keras_rlkit.replay import Prioritized

PolynomialDecay = keras.optimizers.schedules.PolynomialDecay


def make(capacity=8, **arguments):
    sampler = Prioritized(**arguments)
    sampler.start(capacity)
    return sampler


def draws(sampler, oldest, size, batch_size, batches=1, seed=0):
    """The numbers drawn, [batches, batch_size], and their weights."""
    generator = np.random.default_rng(seed)
    pairs = [
        sampler.draw(generator, oldest, size, batch_size)
        for _ in range(batches)
    ]
    return map(np.stack, zip(*pairs, strict=True))


def test_frequencies_agree_with_priorities():
    sampler = make(capacity=10, alpha=0.7, epsilon=0.01)
    # Numbers 1003 to 1012, around the end of the ring.
    error = np.array([0.1, -0.2, 0.0, 3.0, 0.5, -1.0, 0.7, 0.05, 2.0, -0.4])
    index = np.arange(1_003, 1_013)
    sampler.update(index, error, 1_003, 10)
    drawn, _ = draws(sampler, 1_003, 10, batch_size=1, batches=60_000)
    assert drawn.dtype == np.int64
    counts = np.bincount(drawn[:, 0] - 1_003, minlength=10)
    assert len(counts) == 10
    priority = [(abs(e) + 0.01) ** 0.7 for e in error]
    expected = 60_000 * np.array(priority) / sum(priority)
    # Right for this seed or wrong for ever: nothing here is left to chance.
    assert 0.001 < scipy.stats.chisquare(counts, expected).pvalue < 0.999


def test_frequencies_in_a_large_memory_with_large_batches():
    capacity = 5_000
    sampler = make(capacity, alpha=0.5, epsilon=1e-9)
    error = np.random.default_rng(1).gamma(0.7, size=capacity)
    sampler.update(np.arange(capacity), error, 0, capacity)
    drawn, _ = draws(sampler, 0, capacity, batch_size=64, batches=3_000)
    counts = np.bincount(drawn.reshape(-1), minlength=capacity)
    expected = np.sqrt(error + 1e-9)
    expected *= drawn.size / expected.sum()
    # Groups of fifty, so that each is expected often enough.
    counts, expected = counts.reshape(-1, 50), expected.reshape(-1, 50)
    statistic = scipy.stats.chisquare(counts.sum(1), expected.sum(1))
    # Stratified draws vary less than independent ones.
    assert statistic.pvalue > 0.001


def test_without_alpha_all_are_equal():
    sampler = make(alpha=0.0)
    sampler.update(np.arange(4), np.array([0.0, 1.0, 100.0, 1e6]), 0, 4)
    assert sampler.priorities(0, 4).tolist() == [1.0] * 4
    drawn, weights = draws(sampler, 0, 4, 4, batches=50)
    assert drawn.tolist() == [[0, 1, 2, 3]] * 50
    assert (weights == 1).all()


def test_each_draw_has_a_part_of_the_sum_of_its_own():
    sampler = make(alpha=1.0, epsilon=1e-12)
    # The sum is 8: four parts of 2.
    sampler.update(np.arange(4), np.array([2.0, 1.0, 4.0, 1.0]), 0, 4)
    drawn, _ = draws(sampler, 0, 4, batch_size=4, batches=400)
    assert set(drawn[:, 0]) == {0}
    assert set(drawn[:, 1]) == {1, 2}
    assert set(drawn[:, 2]) == {2}
    assert set(drawn[:, 3]) == {2, 3}
    # Within its part a draw is uniform: halves, a standard deviation of 10.
    assert 150 < np.count_nonzero(drawn[:, 1] == 1) < 250
    assert 150 < np.count_nonzero(drawn[:, 3] == 3) < 250


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_weights_follow_the_formula_of_the_paper(beta):
    sampler = make(alpha=0.6, beta=beta, epsilon=0.1)
    error = np.array([0.4, -0.9, 2.4, 0.0, 1.5])
    sampler.update(np.arange(5), error, 0, 5)
    drawn, weights = draws(sampler, 0, 5, batch_size=16, batches=20)
    priority = np.array([0.5, 1.0, 2.5, 0.1, 1.6]) ** 0.6
    probability = priority / priority.sum()
    unscaled = (5 * probability) ** -beta
    for numbers, weight in zip(drawn, weights, strict=True):
        expected = unscaled[numbers] / unscaled[numbers].max()
        np.testing.assert_allclose(weight, expected, rtol=1e-6)
        assert weight.max() == 1
    assert weights.dtype == np.float32
    if beta == 1:
        # By hand: 0.1 against 2.5, to the power of -0.6.
        both = [w for w in weights if w.min() < 0.16]
        assert both
        assert min(w.min() for w in both) == pytest.approx(25**-0.6)


def test_new_transitions_have_the_largest_priority_so_far():
    sampler = make(capacity=4, alpha=1.0, epsilon=0.5)
    assert sampler.priorities(0, 2).tolist() == [1.0, 1.0]
    sampler.update(np.array([0]), np.array([-2.5]), 0, 2)
    assert sampler.priorities(0, 2).tolist() == [3.0, 1.0]
    # New ones come with 3, also after the one that had it has less.
    assert sampler.priorities(0, 3).tolist() == [3.0, 1.0, 3.0]
    sampler.update(np.arange(3), np.zeros(3), 0, 3)
    assert sampler.priorities(0, 4).tolist() == [0.5, 0.5, 0.5, 3.0]
    assert sampler.priorities(2, 4).tolist() == [0.5, 3.0, 3.0, 3.0]


def test_what_left_is_never_drawn():
    sampler = make(capacity=5, alpha=1.0)
    sampler.update(np.arange(5), np.array([1e6, 1, 1, 1, 1]), 0, 5)
    # The oldest two leave without anything in their place.
    drawn, _ = draws(sampler, 2, 3, batch_size=64, batches=20)
    assert set(drawn.reshape(-1)) == {2, 3, 4}
    # More come than fit at once.
    drawn, _ = draws(sampler, 40, 5, batch_size=64, batches=20)
    assert set(drawn.reshape(-1)) == {40, 41, 42, 43, 44}
    # Fewer, over the end of the ring.
    drawn, _ = draws(sampler, 44, 3, batch_size=64, batches=20)
    assert set(drawn.reshape(-1)) == {44, 45, 46}


def test_an_overwritten_transition_is_never_updated():
    sampler = make(capacity=4, alpha=1.0, epsilon=1.0)
    sampler.update(np.arange(4), np.zeros(4), 0, 4)
    # 0 and 1 were overwritten by 4 and 5, whose rows are the same.
    index = np.array([0, 1, 2, 5])
    sampler.update(index, np.array([7.0, 8.0, 9.0, 10.0]), 2, 4)
    assert sampler.priorities(2, 4).tolist() == [10.0, 1.0, 1.0, 11.0]
    sampler.update(np.array([0, 1]), np.array([7.0, 8.0]), 2, 4)
    assert sampler.priorities(2, 4).tolist() == [10.0, 1.0, 1.0, 11.0]
    # What was passed over is no largest priority either.
    sampler.update(np.array([0]), np.array([1e9]), 2, 4)
    assert sampler.priorities(3, 4).tolist() == [1.0, 1.0, 11.0, 11.0]


def test_of_one_that_comes_twice_the_last_error_counts():
    sampler = make(alpha=1.0, epsilon=1.0)
    index = np.array([3, 1, 3, 1, 3])
    sampler.update(index, np.array([5.0, 4.0, 3.0, -2.0, 1.0]), 0, 4)
    assert sampler.priorities(0, 4).tolist() == [1.0, 3.0, 1.0, 2.0]
    # The largest so far is that of those which stay for a moment, too.
    assert sampler.priorities(0, 5)[-1] == 6.0


def test_numbers_beyond_32_bits_come_back_modulo_2_to_31():
    capacity, end = 6, 3 * 2**31 + 2
    oldest = end - capacity
    sampler = make(capacity, alpha=1.0, epsilon=1.0)
    drawn = np.sort(next(draws(sampler, oldest, capacity, batch_size=6))[0])
    assert drawn.tolist() == list(range(oldest, end))
    # Four below the multiple of 2**31 and two above.
    error = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    sampler.update(drawn % 2**31, error, oldest, capacity)
    expected = [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert sampler.priorities(oldest, capacity).tolist() == expected
    sampler.update(drawn, -error[::-1], oldest, capacity)
    assert sampler.priorities(oldest, capacity).tolist() == expected[::-1]
    # Overwritten since, in either form.
    for index in (drawn, drawn % 2**31):
        sampler.update(index, np.full(6, 50.0), oldest + 6, capacity)
    later = sampler.priorities(oldest + 6, capacity)
    assert later.tolist() == [7.0] * 6


@pytest.mark.parametrize("period_start", [0, 100, 300])
def test_beta_is_a_schedule_of_the_batches(period_start):
    calls = []

    class Noted(PolynomialDecay):
        def __call__(self, step):
            calls.append(step)
            return super().__call__(step)

    sampler = make(alpha=1.0, beta=Noted(0.4, 300, 1.0), epsilon=0.5)
    sampler.update(np.arange(2), np.array([0.5, 3.5]), 0, 2)
    generator = np.random.default_rng(0)
    for _ in range(period_start + 1):
        _, weights = sampler.draw(generator, 0, 2, 8)
    assert calls == list(range(0, period_start + 1, 100))
    # Priorities of 1 and 4, both in a batch of eight.
    beta = 0.4 + 0.6 * period_start / 300
    assert weights.min() == pytest.approx(4**-beta, rel=1e-5)


def test_a_schedule_that_leaves_its_range():
    sampler = make(beta=PolynomialDecay(0.4, 100, 1.5))
    generator = np.random.default_rng(0)
    for _ in range(100):
        sampler.draw(generator, 0, 2, 4)
    with pytest.raises(
        ValueError,
        match=r"`beta` must be a schedule that stays in \[0, 1\]\. Received: "
        r"beta=1\.5 at batch 100\.",
    ):
        sampler.draw(generator, 0, 2, 4)


def test_the_generator_decides():
    def run(seed):
        sampler = make(100)
        sampler.update(np.arange(100), np.linspace(-1, 1, 100), 0, 100)
        drawn, weights = draws(sampler, 0, 100, 32, batches=5, seed=seed)
        return drawn.tolist(), weights.tolist()

    assert run(1) == run(1)
    assert run(1)[0] != run(2)[0]


@keras.saving.register_keras_serializable("tests")
class Halving(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.5

    def get_config(self):
        return {}


@pytest.mark.parametrize(
    "beta", [0.3, PolynomialDecay(0.4, 500, 1.0), Halving()]
)
def test_config_survives_json(beta):
    sampler = Prioritized(0.5, beta, 0.01)
    config = json.loads(json.dumps(sampler.get_config()))
    again = Prioritized.from_config(config)
    assert again.get_config() == sampler.get_config()
    assert (again.alpha, again.epsilon) == (0.5, 0.01)
    assert type(again.beta) is type(sampler.beta)


def test_a_config_runs_nothing_but_schedules():
    config = Prioritized(beta=Halving()).get_config()
    for name in ("os", "Adam", None, "tests>Unheard", "schedules"):
        config["beta"] |= {
            "module": "os",
            "class_name": name,
            "registered_name": name,
        }
        with pytest.raises(ValueError, match="`beta` must be a schedule of K"):
            Prioritized.from_config(config)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"alpha": -0.1}, r"`alpha` .* Received: alpha=-0\.1\."),
        ({"alpha": 1.5}, r"`alpha` .* Received: alpha=1\.5\."),
        ({"beta": 2}, r"`beta` must be a number in .* Received: beta=2\."),
        ({"beta": abs}, r"`beta` must be a number in \[0, 1\] or a `keras.o"),
        ({"beta": None}, r"`beta` .* Received: beta=None\."),
        ({"epsilon": 0}, r"`epsilon` must be a positive, .* epsilon=0\."),
        ({"epsilon": np.nan}, r"`epsilon` .* Received: epsilon=nan\."),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        Prioritized(**arguments)


@pytest.mark.parametrize(
    "index, td_error, message",
    [
        ([[0]], [[1.0]], r"`index` must be integers of shape \(M,\)"),
        ([0.5], [1.0], r"`index` must be .*index\.dtype=float64"),
        ([3], [1.0], r"at least 0 and below 3\. Received: index from 3 to 3"),
        ([-1, 2], [1.0, 1.0], r"Received: index from -1 to 2\."),
        ([0, 1], [1.0], r"one for each `index`: shape \(2,\)\. Received"),
        ([0], [1j], r"`td_error` must be real numbers, .*dtype=complex128"),
        ([0, 1], [1.0, np.nan], r"`td_error` must be finite .*td_error=nan"),
        ([0, 1, 2], [np.inf, 0.0, -np.inf], r"td_error=inf and 1 more such\."),
        ([0], [1e39], r"`td_error` must be finite in float32"),
    ],
)
def test_a_refused_update_changes_nothing(index, td_error, message):
    sampler = make(alpha=1.0, epsilon=1.0)
    sampler.update(np.arange(3), np.array([1.0, 2.0, 3.0]), 0, 3)
    with pytest.raises(ValueError, match=message):
        sampler.update(np.array(index), np.array(td_error), 0, 3)
    assert sampler.priorities(0, 4).tolist() == [2.0, 3.0, 4.0, 4.0]


def test_a_sampler_belongs_to_one_buffer():
    with pytest.raises(ValueError, match="`sampler` must belong to one buff"):
        make().start(8)


CONTRACT = {
    Prioritized: {
        "arguments": lambda: {
            "alpha": 0.5,
            "beta": keras.optimizers.schedules.PolynomialDecay(0.4, 30, 1.0),
            "epsilon": 0.1,
        },
        "bad": {"alpha": [-0.1, 2], "beta": [2.0, abs], "epsilon": [0]},
    }
}
