import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_rlkit.replay.sampling import sum_tree
from keras_rlkit.replay.sampling.sum_tree import SumTree

CAPACITIES = [1, 2, 15, 16, 17, 100, 255, 256, 257, 5_000]


@pytest.fixture(params=[4_096, 3], ids=["one_level", "many_levels"])
def top(request, monkeypatch):
    """With a tiny top level, small trees have all the levels of large ones."""
    monkeypatch.setattr(sum_tree, "TOP", request.param)


def naive_find(leaves, value):
    """The first leaf up to which the sum is more than a value."""
    running = 0.0
    for number, leaf in enumerate(leaves):
        running += leaf
        if running > value:
            return number
    raise AssertionError("a value that no leaf reaches")


@pytest.mark.parametrize("capacity", CAPACITIES)
def test_whole_numbers_are_found_as_by_counting(top, capacity):
    generator = np.random.default_rng(capacity)
    # Sums of whole numbers are exact: nothing is left to rounding.
    leaves = generator.integers(0, 4, capacity).astype(float)
    leaves[generator.integers(capacity)] = 7
    tree = SumTree(capacity)
    tree.update(np.arange(capacity), leaves)
    assert tree.total() == leaves.sum()
    values = np.arange(min(leaves.sum(), 300))
    expected = [naive_find(leaves, value) for value in values]
    found, found_leaves = tree.find(values)
    assert found.tolist() == expected
    assert found_leaves.tolist() == leaves[expected].tolist()
    # Just below a whole number it is still the leaf before.
    below = np.arange(1, len(values) + 1) - 1e-9
    assert tree.find(below)[0].tolist() == expected


def test_the_edges_between_leaves_by_hand(top):
    tree = SumTree(40)
    tree.update(np.array([0, 15, 16, 39]), np.array([1.0, 2.0, 0.5, 3.0]))
    values = [0, 0.99, 1, 2.99, 3, 3.49, 3.5, 6.49, 6.5]
    found, leaves = tree.find(np.array(values))
    assert found.tolist() == [0, 0, 15, 15, 16, 16, 39, 39, 39]
    assert leaves.tolist() == [1, 1, 2, 2, 0.5, 0.5, 3, 3, 3]


updates = st.lists(
    st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 9)),
        min_size=1,
        max_size=40,
    ),
    max_size=8,
)


@given(
    capacity=st.sampled_from(CAPACITIES),
    updates=updates,
    top=st.sampled_from([1, 3, 4_096]),
)
def test_updates_against_a_plain_list(capacity, updates, top):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sum_tree, "TOP", top)
        tree, leaves = SumTree(capacity), [0.0] * capacity
        for batch in updates:
            numbers = np.array([number % capacity for number, _ in batch])
            values = np.array([float(value) for _, value in batch])
            tree.update(numbers, values)
            # The last one counts where a leaf comes twice.
            for number, value in zip(numbers, values, strict=True):
                leaves[number] = value
            assert tree.leaves.tolist() == leaves
            assert tree.total() == sum(leaves)
        if sum(leaves):
            values = np.linspace(0, sum(leaves), 50, endpoint=False)
            expected = [naive_find(leaves, value) for value in values]
            assert tree.find(values)[0].tolist() == expected


@given(
    capacity=st.integers(1, 600),
    seed=st.integers(0, 2**32),
    empty=st.floats(0, 0.99),
    spread=st.sampled_from([0, 1, 20, 300]),
    top=st.sampled_from([1, 3, 4_096]),
)
def test_no_rounding_finds_an_empty_leaf(capacity, seed, empty, spread, top):
    generator = np.random.default_rng(seed)
    leaves = 10.0 ** generator.uniform(-spread, spread / 2, capacity)
    leaves[generator.random(capacity) < empty] = 0.0
    leaves[generator.integers(capacity)] = 1.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sum_tree, "TOP", top)
        tree = SumTree(capacity)
        tree.update(np.arange(capacity), leaves)
        total = tree.total()
        assert total == pytest.approx(leaves.sum(), rel=1e-12)
        edges = np.cumsum(leaves)
        values = np.concatenate(
            [
                generator.random(200) * total,
                np.nextafter(edges, 0.0),
                edges,
                [0.0, total, np.nextafter(total, 0.0)],
            ]
        )
        values = np.minimum(values, total)
        found, found_leaves = tree.find(values)
    assert (found >= 0).all() and (found < capacity).all()
    assert (found_leaves > 0).all()
    np.testing.assert_array_equal(found_leaves, leaves[found])
    # Where it matters, it is the right leaf up to rounding.
    before, after = edges[found] - leaves[found], edges[found]
    assert (values >= before - 1e-9 * total).all()
    assert (values <= after + 1e-9 * total).all()


def test_sums_depend_on_the_leaves_alone(top):
    generator = np.random.default_rng(0)
    leaves = generator.random(700)
    once, often = SumTree(700), SumTree(700)
    once.update(np.arange(700), leaves)
    for _ in range(100):
        rows = generator.integers(700, size=50)
        often.update(rows, generator.random(50) * 1e6)
    for row in generator.permutation(700):
        often.update(np.array([row]), leaves[row])
    assert once.total() == often.total()
    for ours, theirs in zip(once._levels, often._levels, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_one_value_for_many_leaves_and_none_at_all(top):
    tree = SumTree(100)
    tree.update(np.arange(10, 20), 0.5)
    tree.update(np.array([], np.int64), np.array([]))
    assert tree.total() == 5.0
    assert tree.leaves.sum() == 5.0


@pytest.mark.parametrize("capacity", [1, 1_000, 100_000, 1_000_000])
def test_it_takes_the_bytes_it_says(capacity):
    tree = SumTree(capacity)
    arrays = [*tree._levels, tree._top]
    assert SumTree.size_of(capacity) == sum(array.nbytes for array in arrays)
    assert SumTree.size_of(1_000_000) < 9_000_000


def test_many_leaves_at_once(top):
    capacity = 70_000
    leaves = np.arange(capacity) % 5 + 1.0
    tree = SumTree(capacity)
    tree.update(np.arange(capacity), leaves)
    assert tree.total() == leaves.sum()
    values = np.array([0, leaves[:40_000].sum(), leaves.sum() - 1])
    assert tree.find(values)[0].tolist() == [0, 40_000, capacity - 1]
