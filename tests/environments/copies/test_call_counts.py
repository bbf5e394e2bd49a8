import copy
import inspect
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from keras_rlkit.environments import atari
from keras_rlkit.environments.copies.call_counts import (
    count_calls,
    environments_of,
)


def total(counting):
    return sum(calls.count for calls in counting)


def test_calls_are_counted_through_whatever_wrapper_they_come():
    environment = gymnasium.make("CartPole-v1")
    counting = count_calls(environment)
    environment.reset(seed=0)
    environment.step(0)
    environment.env.step(1)
    environment.unwrapped.step(1)
    gymnasium.wrappers.TimeLimit(environment.unwrapped, 5).reset()
    assert total(counting) == 5


def test_a_vector_and_each_of_its_environments():
    vector = gymnasium.wrappers.vector.RecordEpisodeStatistics(
        gymnasium.make_vec("CartPole-v1", 3, "sync")
    )
    (calls,) = count_calls(vector)
    vector.reset(seed=0)
    vector.step(np.ones(3, int))
    assert calls.count == 6
    vector.unwrapped.envs[1].step(0)
    assert calls.count == 7


def test_counting_twice_counts_the_same():
    environment = gymnasium.make("CartPole-v1")
    one, two = count_calls(environment), count_calls(environment.unwrapped)
    environment.reset()
    assert total(one) == total(two) == 1
    # One that is in two vectors counts for both.
    other = gymnasium.make("CartPole-v1")
    both = count_calls(SyncVectorEnv([lambda: environment, lambda: other]))
    environment.step(0)
    other.reset()
    assert (total(one), total(both)) == (2, 3)


@pytest.mark.parametrize("copied", [copy.deepcopy, "pickle"])
def test_a_copy_plays_for_itself(copied):
    environment = gymnasium.make("CartPole-v1")
    counting = count_calls(environment)
    environment.reset(seed=0)
    if copied == "pickle":
        other = pickle.loads(pickle.dumps(environment))
    else:
        other = copied(environment)
    state = environment.unwrapped.state
    expected = other.step(1)[0]
    other.step(1)
    assert total(counting) == 1
    assert environment.unwrapped.state is state
    np.testing.assert_array_equal(environment.step(1)[0], expected)


def test_a_counted_method_looks_like_itself():
    environment = gymnasium.make("CartPole-v1").unwrapped
    before = inspect.signature(environment.reset)
    count_calls(environment)
    assert inspect.signature(environment.reset) == before


@pytest.mark.parametrize(
    "make",
    [
        lambda: atari("pong", 2),
        lambda: gymnasium.make_vec("CartPole-v1", 2, "vector_entry_point"),
        lambda: AsyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 2),
    ],
    ids=["atari", "entry point", "processes"],
)
def test_vectors_of_one_piece(make):
    environment = make()
    counting = count_calls(environment)
    environment.reset()
    environment.step(np.zeros(2, int))
    # An emulator inside is counted as well, or instead.
    assert total(counting) >= 2
    environment.close()


def test_environments_of_a_wrapped_vector():
    vector = gymnasium.make_vec("CartPole-v1", 2, "sync")
    wrapped = gymnasium.wrappers.vector.RecordEpisodeStatistics(vector)
    found = list(environments_of(wrapped).values())
    assert found[:2] == [wrapped, vector]
    cores = [single.unwrapped for single in vector.envs]
    assert all(any(part is core for part in found) for core in cores)


def test_one_that_holds_another_only_to_look_something_up():
    environment = gymnasium.make("CartPole-v1").unwrapped
    environment.models = {"other": gymnasium.make("CartPole-v1")}
    counting = count_calls(environment)
    environment.reset(seed=0)
    assert total(counting) == 1
    assert environment.models["other"].unwrapped in (
        environments_of(environment).values()
    )
