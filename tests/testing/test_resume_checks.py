"""Parts that lose their state are refused."""

import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.testing.resume_checks import check_state, through_json
from tests.testing.faulty_parts import (
    Counts,
    Draws,
    Newest,
    check_policy,
    check_sampler,
    counting_parts,
)


def test_whole_parts_pass():
    check_sampler(Newest)
    rlk.testing.check_callback(Counts, counting_parts)


def test_a_sampler_that_loses_its_state():
    class Broken(Newest):
        def restore(self, arrays, counters):
            pass

    with pytest.raises(AssertionError, match="'resume': .* must have that st"):
        check_sampler(Broken)


def test_a_sampler_that_tells_nothing_of_its_state():
    class Broken(Newest):
        def counters(self):
            return {}

        def restore(self, arrays, counters):
            pass

    with pytest.raises(AssertionError, match="'resume': .* go on as the other"):
        check_sampler(Broken)


def test_a_sampler_that_draws_what_is_gone():
    class Broken(Newest):
        def draw(self, generator, oldest, size, batch_size):
            index, weight = super().draw(generator, 0, oldest + size, 8)
            return index, weight

    with pytest.raises(AssertionError, match="'draws': draws must be int64"):
        check_sampler(Broken)


def test_a_sampler_with_randomness_of_its_own():
    class Broken(Newest):
        def draw(self, generator, oldest, size, batch_size):
            own = np.random.default_rng()
            return super().draw(own, oldest, size, batch_size)

    with pytest.raises(AssertionError, match="'generator': .* alone decide"):
        check_sampler(Broken)


def test_a_prioritized_sampler_with_randomness_of_its_own():
    class Broken(rlk.replay.Prioritized):
        def draw(self, generator, oldest, size, batch_size):
            own = np.random.default_rng()
            return super().draw(own, oldest, size, batch_size)

    # One draw of a few new transitions is the same for every generator.
    with pytest.raises(AssertionError, match="'generator': .* alone decide"):
        rlk.testing.check_sampler(
            Broken, arguments={"alpha": 0.5, "beta": 0.7, "epsilon": 0.1}
        )


def test_a_policy_that_ignores_masks():
    class Broken(Draws):
        def __call__(self, model, observations, step, action_mask=None):
            return super().__call__(model, observations, step)

    with pytest.raises(AssertionError, match="is allowed by the mask"):
        check_policy(Broken)


def test_a_policy_that_loses_its_state():
    class Broken(Draws):
        """Draws.

        Args:
            seed: Non-negative integer.

        Example:

        >>> ...
        """

        def get_state(self):
            return {}

        def set_state(self, state):
            pass

    with pytest.raises(AssertionError, match="'resume': .* go on as the other"):
        check_policy(Broken)


@pytest.mark.parametrize(
    "scores, message",
    [
        (lambda scores: np.zeros(len(scores)), "'actions': actions must be"),
        (lambda scores: np.argmin(scores, axis=1), "'forbidden': only action"),
        (lambda scores: np.argmax(scores, axis=1), "'diverged': NaN from"),
    ],
)
def test_policies_whose_actions_are_wrong(scores, message):
    class Broken(Draws):
        def __call__(self, model, observations, step, action_mask=None):
            output = np.array(model.predict_on_batch(observations))
            if action_mask is not None:
                output[~action_mask] = -np.inf
            return scores(output)

    with pytest.raises(AssertionError, match=message):
        check_policy(Broken)


def test_a_callback_that_loses_its_state():
    class Broken(Counts):
        def get_state(self):
            return {}

        def set_state(self, state):
            pass

    with pytest.raises(AssertionError, match="'resume': logs must be"):
        rlk.testing.check_callback(Broken, counting_parts)


def test_a_callback_that_logs_what_is_no_number():
    class Broken(Counts):
        def on_epoch_end(self, epoch, logs=None):
            logs["counted"] = float("nan")

    with pytest.raises(AssertionError, match="'fit': logs must be finite"):
        rlk.testing.check_callback(Broken, counting_parts)


def test_a_state_through_files():
    state = {"a": np.int64(3), "b": (1.5, "x"), "c": np.arange(3)}
    read = through_json(state)
    assert read["a"] == 3 and type(read["a"]) is int
    assert read["b"] == [1.5, "x"]
    np.testing.assert_array_equal(read["c"], [0, 1, 2])
    for bad in ({"a": {1, 2}}, {1: "a"}):
        with pytest.raises(AssertionError, match="must"):
            through_json(bad)


def test_a_state_that_is_set_by_halves():
    class Half:
        def __init__(self):
            self.a, self.b = 0, 0

        def play(self):
            self.a, self.b = self.a + 1, self.b + 2
            return self.a + self.b

    def put(part, state):
        part.a = state["a"]

    with pytest.raises(AssertionError, match="must have that state"):
        check_state(Half, Half.play, vars, put)
