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

# Two live states and one that terminated. By hand, with gamma 0.5:
#   row 0: online picks 1, target says 30: 1 + 0.5 * 30 = 16
#   row 1: online picks 2, target says 6: 2 + 0.5 * 6 = 5
#   row 2: terminated: 3
REWARD = np.array([1.0, 2.0, 3.0], "float32")
DISCOUNT = np.array([0.5, 0.5, 0.0], "float32")
ONLINE = np.array([[1, 3, 2], [4, 5, 6], [9, 8, 7]], "float32")
TARGET = np.array([[40, 30, 20], [8, 4, 6], [1, 2, 3]], "float32")


def golden(name):
    case = CASES[name]
    return {k: np.array(v) for k, v in case["inputs"].items()}, case["output"]


def compiled(function, *arguments):
    """Result of the function traced, with an unknown batch size if possible."""
    if keras.backend.backend() == "jax":
        import jax

        return np.array(jax.jit(function)(*arguments))
    import tensorflow as tf

    arguments = [tf.convert_to_tensor(argument) for argument in arguments]
    signature = [
        tf.TensorSpec([None, *a.shape[1:]], a.dtype) for a in arguments
    ]
    return tf.function(function, input_signature=signature)(*arguments).numpy()


def symbolic(function, *arguments):
    """Result of the function inside a functional model."""
    inputs = [keras.Input(a.shape[1:], dtype=str(a.dtype)) for a in arguments]
    outputs = function(*inputs)
    assert outputs.shape[0] is None
    model = keras.Function(inputs, outputs)
    return keras.ops.convert_to_numpy(model(list(arguments)))


@pytest.mark.parametrize("run", [compiled, symbolic])
def test_traced_and_symbolic_calls_give_the_eager_numbers(run):
    np.testing.assert_allclose(
        run(rlk.ops.double_q_learning_target, REWARD, DISCOUNT, ONLINE, TARGET),
        [16.0, 5.0, 3.0],
    )
    np.testing.assert_allclose(
        run(rlk.ops.q_learning_target, REWARD, DISCOUNT, TARGET),
        [21.0, 6.0, 3.0],
    )
    np.testing.assert_allclose(
        run(rlk.ops.select_action_values, TARGET, np.array([0, 2, 1], "int64")),
        [40.0, 6.0, 2.0],
    )


def test_q_learning_target_agrees_with_rlax():
    inputs, output = golden("q_learning_target")
    target = rlk.ops.q_learning_target(**inputs)
    np.testing.assert_allclose(np.array(target), output, atol=1e-5)


def test_double_q_learning_target_agrees_with_rlax():
    inputs, output = golden("double_q_learning_target")
    del inputs["q"], inputs["action"]
    target = rlk.ops.double_q_learning_target(**inputs)
    np.testing.assert_allclose(np.array(target), output, atol=1e-5)


def test_td_error_agrees_with_rlax():
    inputs, output = golden("double_q_learning_td_error")
    q = rlk.ops.select_action_values(inputs.pop("q"), inputs.pop("action"))
    target = rlk.ops.double_q_learning_target(**inputs)
    np.testing.assert_allclose(np.array(target - q), output, atol=1e-5)


def test_q_learning_target_by_hand():
    target = rlk.ops.q_learning_target(REWARD, DISCOUNT, TARGET)
    assert keras.backend.standardize_dtype(target.dtype) == "float32"
    np.testing.assert_allclose(np.array(target), [21.0, 6.0, 3.0])


def test_double_q_learning_target_differs_from_every_decoy():
    def double(discount, online, target):
        return np.array(
            rlk.ops.double_q_learning_target(REWARD, discount, online, target)
        )

    decoys = {
        # Online evaluates what target selects.
        "swapped": (double(DISCOUNT, TARGET, ONLINE), [1.5, 4.0, 3.0]),
        # Target both selects and evaluates.
        "plain maximum of target": (
            double(DISCOUNT, TARGET, TARGET),
            [21.0, 6.0, 3.0],
        ),
        # Online both selects and evaluates.
        "plain maximum of online": (
            double(DISCOUNT, ONLINE, ONLINE),
            [2.5, 5.0, 3.0],
        ),
        # The last row goes on although it terminated.
        "no termination": (
            double(np.full(3, 0.5, "float32"), ONLINE, TARGET),
            [16.0, 5.0, 3.5],
        ),
    }
    target = double(DISCOUNT, ONLINE, TARGET)
    np.testing.assert_allclose(target, [16.0, 5.0, 3.0])
    for name, (decoy, expected) in decoys.items():
        np.testing.assert_allclose(decoy, expected, err_msg=name)
        assert not np.allclose(decoy, target), name


def test_first_action_wins_a_tie_of_the_online_network():
    target = rlk.ops.double_q_learning_target(
        [0.0], [1.0], [[1.0, 2.0, 2.0]], [[10.0, 20.0, 30.0]]
    )
    np.testing.assert_allclose(np.array(target), [20.0])


def test_lists_and_integers_and_double_precision_give_float32():
    value = rlk.ops.select_action_values([[1, 2], [3, 4]], [1, 0])
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    np.testing.assert_allclose(np.array(value), [2.0, 3.0])
    target = rlk.ops.q_learning_target(
        np.array([1.0]), np.array([0.5]), keras.ops.ones((1, 2), "bfloat16")
    )
    assert keras.backend.standardize_dtype(target.dtype) == "float32"
    np.testing.assert_allclose(np.array(target), [1.5])


@pytest.mark.parametrize("action", [-1, 3])
@pytest.mark.parametrize("run", [compiled, lambda f, *a: np.array(f(*a))])
def test_action_out_of_range_gives_nan(run, action):
    value = run(
        rlk.ops.select_action_values, TARGET, np.array([0, action, 2], "int32")
    )
    np.testing.assert_array_equal(value, [40.0, np.nan, 3.0])


def test_infinite_values_of_other_actions_do_no_harm():
    value = rlk.ops.select_action_values([[-np.inf, 2.0, np.inf]], [1])
    np.testing.assert_array_equal(np.array(value), [2.0])


def test_no_gradient_flows_into_targets():
    for function in (
        lambda q: rlk.ops.q_learning_target(REWARD, DISCOUNT, q),
        lambda q: rlk.ops.double_q_learning_target(REWARD, DISCOUNT, q, TARGET),
        lambda q: rlk.ops.double_q_learning_target(REWARD, DISCOUNT, ONLINE, q),
    ):
        np.testing.assert_array_equal(gradient(function, TARGET), 0 * TARGET)
    np.testing.assert_array_equal(
        gradient(
            lambda r: rlk.ops.q_learning_target(r, DISCOUNT, TARGET), REWARD
        ),
        0 * REWARD,
    )


def test_gradient_of_selected_values_is_one_at_the_action():
    result = gradient(
        lambda q: rlk.ops.select_action_values(q, np.array([0, 2, 1])), TARGET
    )
    np.testing.assert_array_equal(result, [[1, 0, 0], [0, 0, 1], [0, 1, 0]])


def test_wrong_ranks_raise():
    with pytest.raises(
        ValueError,
        match=r"`reward` must have shape \[B\]. Received: "
        r"reward.shape=\(3, 1\). No axis is squeezed",
    ):
        rlk.ops.q_learning_target(REWARD[:, None], DISCOUNT, TARGET)
    with pytest.raises(ValueError, match=r"`discount` must have shape \[B\]"):
        rlk.ops.double_q_learning_target(REWARD, 0.99, ONLINE, TARGET)
    with pytest.raises(ValueError, match=r"`next_q` must have shape \[B, A\]"):
        rlk.ops.q_learning_target(REWARD, DISCOUNT, TARGET[:, 0])
    with pytest.raises(ValueError, match=r"`action` must have shape \[B\]"):
        rlk.ops.select_action_values(TARGET, np.zeros((3, 1), "int32"))


def test_sizes_that_differ_raise():
    with pytest.raises(
        ValueError,
        match=r"`next_q` must have size 3 along axis B, as `reward` has. "
        r"Received: next_q.shape=\(1, 3\), reward.shape=\(3,\)",
    ):
        rlk.ops.q_learning_target(REWARD, DISCOUNT, TARGET[:1])
    with pytest.raises(
        ValueError,
        match="`next_q_target` must have size 3 along axis A, "
        "as `next_q_online` has",
    ):
        rlk.ops.double_q_learning_target(
            REWARD, DISCOUNT, ONLINE, TARGET[:, :2]
        )
    with pytest.raises(ValueError, match="`discount` must have size 3 along"):
        rlk.ops.q_learning_target(REWARD, DISCOUNT[:1], TARGET)


def test_wrong_shapes_raise_in_a_symbolic_call_too():
    with pytest.raises(ValueError, match=r"`reward` must have shape \[B\]"):
        rlk.ops.q_learning_target(
            keras.Input((1,)), keras.Input(()), keras.Input((3,))
        )


def test_actions_of_a_float_dtype_raise():
    with pytest.raises(
        ValueError,
        match="`action` must be of an integer dtype. "
        "Received: action.dtype=float32. Cast it before",
    ):
        rlk.ops.select_action_values(TARGET, np.zeros(3, "float32"))


def test_unknown_number_of_actions_raises():
    with pytest.raises(
        ValueError,
        match=r"`q_values` must have a known number of actions. "
        r"Received: q_values.shape=\(None, None\)",
    ):
        rlk.ops.select_action_values(
            keras.Input((None,)), keras.Input((), dtype="int32")
        )


HIDDEN = {
    "nan": [np.nan, np.nan, np.nan],
    "one nan": [2.0, np.nan, 1.0],
    "inf": [np.inf, 1.0, -np.inf],
    "-inf": [-np.inf, -np.inf, -np.inf],
}


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("run", [lambda f, *a: np.array(f(*a)), compiled])
def test_values_behind_a_termination_are_not_seen(run, hidden):
    online, target = ONLINE.copy(), TARGET.copy()
    online[2] = target[2] = HIDDEN[hidden]
    result = run(rlk.ops.q_learning_target, REWARD, DISCOUNT, target)
    np.testing.assert_allclose(result, [21.0, 6.0, 3.0])
    for chosen, valued in (
        (online, TARGET),
        (ONLINE, target),
        (online, target),
    ):
        result = run(
            rlk.ops.double_q_learning_target, REWARD, DISCOUNT, chosen, valued
        )
        np.testing.assert_allclose(result, [16.0, 5.0, 3.0])


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("run", [lambda f, *a: np.array(f(*a)), compiled])
def test_nan_that_is_not_behind_an_end_comes_through(run, place):
    online, target = ONLINE.copy(), TARGET.copy()
    online[0, place] = target[0, place] = np.nan
    result = run(rlk.ops.q_learning_target, REWARD, DISCOUNT, target)
    np.testing.assert_array_equal(result, [np.nan, 6.0, 3.0])
    # The choice itself is lost where an online value is NaN.
    result = run(
        rlk.ops.double_q_learning_target, REWARD, DISCOUNT, online, TARGET
    )
    np.testing.assert_array_equal(result, [np.nan, 5.0, 3.0])


def test_a_forbidden_action_is_no_target():
    # Row 0: of actions 0 and 2, online prefers 2, whose value is 20.
    online, target = ONLINE.copy(), TARGET.copy()
    online[0, 1] = target[0, 1] = -np.inf
    result = rlk.ops.double_q_learning_target(REWARD, DISCOUNT, online, target)
    np.testing.assert_allclose(np.array(result), [11.0, 5.0, 3.0])
    result = rlk.ops.q_learning_target(REWARD, DISCOUNT, target)
    np.testing.assert_allclose(np.array(result), [21.0, 6.0, 3.0])


@pytest.mark.parametrize("run", [lambda f, *a: np.array(f(*a)), compiled])
def test_td_error_of_a_sequence(run):
    td_error = np.float32([[1, -3, np.nan], [-2, 4, 0.5]])
    mask = np.array([[True, True, False], [True, True, True]])
    result = run(rlk.ops.sequence_td_error, td_error, mask)
    np.testing.assert_allclose(
        result, [0.9 * 3 + 0.1 * 2, 0.9 * 4 + 0.1 * 6.5 / 3], rtol=1e-6
    )
    only_mean = rlk.ops.sequence_td_error(td_error, mask, max_weight=0.0)
    np.testing.assert_allclose(np.array(only_mean), [2, 6.5 / 3], rtol=1e-6)
    with pytest.raises(ValueError, match="mask"):
        rlk.ops.sequence_td_error(td_error, mask[:1])
