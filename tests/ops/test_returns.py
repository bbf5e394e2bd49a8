import json
import pathlib

import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from tests.ops.gradients import gradient

CASES = json.loads(
    pathlib.Path(__file__).with_name("rlax_ops.json").read_text()
)["cases"]


def golden(name):
    case = CASES[name]
    inputs = {
        key: np.array(value) if isinstance(value, list) else value
        for key, value in case["inputs"].items()
    }
    return inputs, case["output"]


def random_rows(num_rows, num_steps, seed=0):
    """Rewards, discounts with terminations, values after each step."""
    generator = np.random.default_rng(seed)
    shape = (num_rows, num_steps)
    rewards = generator.normal(size=shape)
    discounts = np.where(generator.random(shape) < 0.1, 0.0, 0.97)
    return rewards, discounts, generator.normal(size=shape)


def returns_by_loop(rewards, discounts, bootstrap):
    result, later = np.zeros_like(rewards), bootstrap
    for step in reversed(range(rewards.shape[1])):
        later = rewards[:, step] + discounts[:, step] * later
        result[:, step] = later
    return result


def n_step_returns_by_sum(rewards, discounts, values, n):
    num_rows, num_steps = rewards.shape
    result = np.zeros_like(rewards)
    for row in range(num_rows):
        for start in range(num_steps):
            factor, end = 1.0, min(start + n, num_steps)
            for step in range(start, end):
                result[row, start] += factor * rewards[row, step]
                factor *= discounts[row, step]
            result[row, start] += factor * values[row, end - 1]
    return result


def compiled(function, *arguments):
    """Result of the function traced, with an unknown batch size if possible."""
    arguments = [np.asarray(a, "float32") for a in arguments]
    if keras.backend.backend() == "jax":
        import jax

        return np.array(jax.jit(function)(*arguments))
    import tensorflow as tf

    signature = [tf.TensorSpec([None, *a.shape[1:]]) for a in arguments]
    return tf.function(function, input_signature=signature)(*arguments).numpy()


def symbolic(function, *arguments):
    """Result of the function inside a functional model."""
    arguments = [np.asarray(a, "float32") for a in arguments]
    inputs = [keras.Input(a.shape[1:]) for a in arguments]
    outputs = function(*inputs)
    assert outputs.shape == (None, arguments[0].shape[1])
    return keras.ops.convert_to_numpy(
        keras.Function(inputs, outputs)(arguments)
    )


@pytest.mark.parametrize(
    "name",
    [
        "discounted_returns",
        "n_step_returns_1",
        "n_step_returns_3",
        "n_step_returns_5",
        "lambda_returns",
    ],
)
def test_agrees_with_rlax(name):
    inputs, output = golden(name)
    function = getattr(rlk.ops, name.rstrip("_135"))
    result = function(**inputs)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    np.testing.assert_allclose(np.array(result), output, atol=1e-5)


def test_discounted_returns_by_hand():
    # Row 0 goes on into the bootstrap: 3 + 0.5 * 8 = 7, 2 + 0.5 * 7 = 5.5,
    # 1 + 0.5 * 5.5 = 3.75. Row 1 terminates at its second step, and what
    # follows is another episode, which terminates too.
    result = rlk.ops.discounted_returns(
        rewards=[[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]],
        discounts=[[0.5, 0.5, 0.5], [0.5, 0.0, 0.0]],
        bootstrap=[8.0, 8.0],
    )
    np.testing.assert_allclose(
        np.array(result), [[3.75, 5.5, 7.0], [2.0, 2.0, 3.0]]
    )


def test_n_step_returns_by_hand():
    rewards, discounts = [[1.0, 2.0, 3.0]], [[0.5, 0.5, 0.5]]
    values = [[10.0, 20.0, 40.0]]
    # n=1: r_t + 0.5 * v_t. n=2: 1 + 1 + 0.25 * 20, 2 + 1.5 + 0.25 * 40, and
    # only one reward is left at the last step. n=3: 1 + 1 + 0.75 + 40 / 8.
    for n, expected in [
        (1, [6.0, 12.0, 23.0]),
        (2, [7.0, 13.5, 23.0]),
        (3, [7.75, 13.5, 23.0]),
        (100, [7.75, 13.5, 23.0]),
    ]:
        result = rlk.ops.n_step_returns(rewards, discounts, values, n)
        np.testing.assert_allclose(np.array(result), [expected])


def test_n_step_returns_stop_at_a_termination():
    result = rlk.ops.n_step_returns(
        [[1.0, 2.0, 3.0]], [[0.5, 0.0, 0.5]], [[10.0, 20.0, 40.0]], n=3
    )
    np.testing.assert_allclose(np.array(result), [[2.0, 2.0, 23.0]])


def test_lambda_returns_by_hand():
    # Last step: 3 + 0.5 * 40 = 23. Before: 2 + 0.5 * (0.75 * 20 + 0.25 * 23)
    # = 12.375, and 1 + 0.5 * (0.75 * 10 + 0.25 * 12.375) = 6.296875.
    result = rlk.ops.lambda_returns(
        [[1.0, 2.0, 3.0]], [[0.5, 0.5, 0.5]], [[10.0, 20.0, 40.0]], 0.25
    )
    np.testing.assert_allclose(np.array(result), [[6.296875, 12.375, 23.0]])


def test_lambda_returns_between_one_step_and_discounted_returns():
    rewards, discounts, values = random_rows(3, 9)
    np.testing.assert_allclose(
        np.array(rlk.ops.lambda_returns(rewards, discounts, values, 0)),
        rewards + discounts * values,
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        np.array(rlk.ops.lambda_returns(rewards, discounts, values, 1)),
        returns_by_loop(rewards, discounts, values[:, -1]),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("num_steps", [1, 2, 5, 8, 9])
def test_every_length_agrees_with_a_loop(num_steps):
    rewards, discounts, values = random_rows(4, num_steps, seed=num_steps)
    np.testing.assert_allclose(
        np.array(rlk.ops.discounted_returns(rewards, discounts, values[:, -1])),
        returns_by_loop(rewards, discounts, values[:, -1]),
        rtol=1e-5,
        atol=1e-6,
    )
    for n in range(1, num_steps + 2):
        np.testing.assert_allclose(
            np.array(rlk.ops.n_step_returns(rewards, discounts, values, n)),
            n_step_returns_by_sum(rewards, discounts, values, n),
            rtol=1e-5,
            atol=1e-6,
            err_msg=f"{n=}",
        )


def test_long_rows_agree_with_a_loop():
    rewards, _, values = random_rows(2, 2048)
    discounts = np.full_like(rewards, 0.99)
    discounts[0, 700] = 0.0
    np.testing.assert_allclose(
        compiled(rlk.ops.discounted_returns, rewards, discounts, values[:, -1]),
        returns_by_loop(rewards, discounts, values[:, -1]),
        atol=1e-4,
    )
    np.testing.assert_allclose(
        compiled(
            lambda r, d, v: rlk.ops.n_step_returns(r, d, v, 1000),
            rewards,
            discounts,
            values,
        ),
        n_step_returns_by_sum(rewards, discounts, values, 1000),
        atol=1e-4,
    )


@pytest.mark.parametrize("run", [compiled, symbolic])
def test_traced_and_symbolic_calls_give_the_right_numbers(run):
    rewards, discounts, values = random_rows(3, 6)
    np.testing.assert_allclose(
        run(rlk.ops.discounted_returns, rewards, discounts, values[:, -1]),
        returns_by_loop(rewards, discounts, values[:, -1]),
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        run(
            lambda r, d, v: rlk.ops.n_step_returns(r, d, v, np.int64(4)),
            rewards,
            discounts,
            values,
        ),
        n_step_returns_by_sum(rewards, discounts, values, 4),
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        run(
            lambda r, d, v: rlk.ops.lambda_returns(r, d, v, 1.0),
            rewards,
            discounts,
            values,
        ),
        returns_by_loop(rewards, discounts, values[:, -1]),
        rtol=1e-5,
        atol=1e-6,
    )


def test_no_gradient_flows_into_returns():
    rewards, discounts, values = random_rows(2, 4)
    for function in (
        lambda v: rlk.ops.discounted_returns(rewards, discounts, v[:, 0]),
        lambda v: rlk.ops.discounted_returns(v, discounts, values[:, 0]),
        lambda v: rlk.ops.n_step_returns(rewards, discounts, v, 2),
        lambda v: rlk.ops.lambda_returns(rewards, discounts, v, 0.9),
    ):
        assert np.abs(np.array(function(values))).max() > 0
        np.testing.assert_array_equal(gradient(function, values), 0 * values)


def test_wrong_ranks_raise():
    rewards = np.ones((2, 3), "float32")
    with pytest.raises(
        ValueError,
        match=r"`bootstrap` must have shape \[B\]. "
        r"Received: bootstrap.shape=\(2, 1\)",
    ):
        rlk.ops.discounted_returns(rewards, rewards, np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"`rewards` must have shape \[B, T\]"):
        rlk.ops.discounted_returns(rewards[0], rewards, np.ones(2))
    with pytest.raises(
        ValueError, match=r"`discounts` must have shape \[B, T\]"
    ):
        rlk.ops.n_step_returns(rewards, 0.99, rewards, 1)
    with pytest.raises(ValueError, match=r"`values` must have shape \[B, T\]"):
        rlk.ops.lambda_returns(rewards, rewards, rewards[:, 0], 0.9)


def test_sizes_that_differ_raise():
    rewards = np.ones((2, 3), "float32")
    with pytest.raises(
        ValueError, match="`bootstrap` must have size 2 along axis B"
    ):
        rlk.ops.discounted_returns(rewards, rewards, np.ones(1))
    with pytest.raises(
        ValueError,
        match=r"`values` must have size 3 along axis T, as `rewards` has. "
        r"Received: values.shape=\(2, 4\)",
    ):
        rlk.ops.n_step_returns(rewards, rewards, np.ones((2, 4)), 1)
    with pytest.raises(ValueError, match="`values` must have size 3 along"):
        rlk.ops.lambda_returns(rewards, rewards, np.ones((2, 4)), 0.9)


def test_unknown_or_empty_time_axis_raises():
    unknown = keras.Input((None,))
    with pytest.raises(
        ValueError,
        match="must have a known number of steps, at least one. "
        r"Received: rewards.shape=\(None, None\)",
    ):
        rlk.ops.discounted_returns(unknown, unknown, keras.Input(()))
    empty = np.ones((2, 0))
    with pytest.raises(ValueError, match="at least one"):
        rlk.ops.lambda_returns(empty, empty, empty, 0.9)
    with pytest.raises(ValueError, match="at least one"):
        rlk.ops.n_step_returns(empty, empty, empty, 2)


def test_wrong_settings_raise():
    rewards = np.ones((2, 3), "float32")
    with pytest.raises(ValueError, match="`n` must be a positive integer"):
        rlk.ops.n_step_returns(rewards, rewards, rewards, 0)
    with pytest.raises(ValueError, match=r"`lambda_` must be a number in \[0"):
        rlk.ops.lambda_returns(rewards, rewards, rewards, 1.1)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("hidden", [NAN, INF, -INF])
@pytest.mark.parametrize("run", [lambda f, *a: np.array(f(*a)), compiled])
def test_nothing_behind_a_termination_is_seen(run, hidden):
    # Two steps, a termination, and whatever follows: 1.9 = 1 + 0.9 * 1.
    rewards, discounts = [[1.0, 1.0]], [[0.9, 0.0]]
    returns = run(rlk.ops.discounted_returns, rewards, discounts, [hidden])
    np.testing.assert_allclose(returns, [[1.9, 1.0]])
    for n, expected in ((1, [5.5, 1.0]), (2, [1.9, 1.0]), (9, [1.9, 1.0])):
        returns = run(
            lambda r, d, v, n=n: rlk.ops.n_step_returns(r, d, v, n),
            rewards,
            discounts,
            [[5.0, hidden]],
        )
        np.testing.assert_allclose(returns, [expected], err_msg=f"{n=}")
    # 1 + 0.9 * (0.5 * 5 + 0.5 * 1) = 3.7.
    for lambda_, expected in ((0.0, 5.5), (0.5, 3.7), (1.0, 1.9)):
        returns = run(
            lambda r, d, v, lambda_=lambda_: rlk.ops.lambda_returns(
                r, d, v, lambda_
            ),
            rewards,
            discounts,
            [[5.0, hidden]],
        )
        np.testing.assert_allclose(returns, [[expected, 1.0]], rtol=1e-6)


@pytest.mark.parametrize(
    "num_steps, end", [(2, 0), (3, 1), (8, 0), (8, 2), (13, 6), (13, 11)]
)
def test_an_episode_does_not_see_the_next_one_in_its_row(num_steps, end):
    rewards, discounts, values = random_rows(3, num_steps)
    discounts[:] = 0.97
    discounts[:, end] = 0.0
    seen = slice(0, end + 1)
    expected = {
        "discounted": returns_by_loop(rewards, discounts, values[:, -1]),
        "5 steps": n_step_returns_by_sum(rewards, discounts, values, 5),
    }
    rewards[:, end + 1] = NAN
    discounts[:, end + 1 :] = NAN
    values[:, end] = values[:, -1] = NAN
    results = {
        "discounted": rlk.ops.discounted_returns(
            rewards, discounts, values[:, -1]
        ),
        "5 steps": rlk.ops.n_step_returns(rewards, discounts, values, 5),
    }
    for name, result in results.items():
        result = np.array(result)
        np.testing.assert_allclose(
            result[:, seen], expected[name][:, seen], rtol=1e-5, err_msg=name
        )
        # What is not behind an end isn't hidden.
        assert np.isnan(result[:, end + 1]).all(), name


def test_nan_that_is_not_behind_an_end_comes_through():
    rewards, discounts = np.ones((1, 1500)), np.full((1, 1500), 0.9)
    rewards[0, -1] = NAN
    # The product of so many discounts is 0 in float32, and no end.
    assert np.float32(0.9) ** np.float32(1499) == 0
    returns = compiled(rlk.ops.discounted_returns, rewards, discounts, [0.0])
    assert np.isnan(returns).all()
    for values in ([[NAN, 4.0]], [[2.0, NAN]]):
        for function in (
            lambda v: rlk.ops.n_step_returns([[1.0, 1.0]], [[0.9, 0.9]], v, 1),
            lambda v: rlk.ops.lambda_returns(
                [[1.0, 1.0]], [[0.9, 0.9]], v, 0.5
            ),
        ):
            row = np.array(function(values))[0]
            assert np.isnan(row[int(np.isnan(values[0][1]))])


def test_what_lambda_leaves_out_is_not_seen():
    # lambda 0 sees one reward and one value, lambda 1 the last value alone.
    rewards, discounts = [[1.0, NAN]], [[0.5, 0.5]]
    returns = rlk.ops.lambda_returns(rewards, discounts, [[4.0, 8.0]], 0.0)
    np.testing.assert_array_equal(np.array(returns), [[3.0, NAN]])
    returns = rlk.ops.lambda_returns([[1.0, 1.0]], discounts, [[NAN, 8.0]], 1.0)
    np.testing.assert_array_equal(np.array(returns), [[3.5, 5.0]])
