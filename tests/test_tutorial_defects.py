"""The defects of the tutorial's Space Invaders agent, each kept out."""

import keras
import numpy as np

import keras_rlkit as rlk

NO, YES = np.array([False]), np.array([True])


def frame(number):
    return np.full((8, 8), number, "uint8")


def play(buffer, episodes, stack=2, end="terminated"):
    """Add episodes whose frames are numbered through; return the frames."""
    number = 0
    for length in episodes:
        frames = [np.zeros((8, 8), "uint8")] * (stack - 1) + [frame(number + 1)]
        number += 1
        for step in range(length):
            number += 1
            following = [*frames[1:], frame(number)]
            last = step == length - 1
            buffer.add(
                np.stack(frames, -1)[None],
                np.array([number % 5]),
                np.array([float(number)]),
                YES if last and end == "terminated" else NO,
                YES if last and end == "truncated" else NO,
                np.stack(following, -1)[None],
            )
            frames = following
    return number


def make_buffer(capacity=50, **arguments):
    return rlk.replay.ReplayBuffer(
        capacity, (8, 8, 2), "uint8", frame_stack=2, seed=0, **arguments
    )


def test_1_a_sample_does_not_depend_on_its_neighbours():
    head = rlk.layers.DuelingHead(3, units=8)
    features = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    together = keras.ops.convert_to_numpy(head(features))
    alone = keras.ops.convert_to_numpy(head(features[2:3]))
    np.testing.assert_allclose(together[2:3], alone, atol=1e-5)


def test_2_action_and_reward_belong_to_the_states_they_lie_between():
    buffer = make_buffer()
    play(buffer, [20])
    observation, rest = buffer.transitions()
    after = rest["next_observation"][:, 0, 0, -1]
    np.testing.assert_array_equal(rest["reward"], after)
    np.testing.assert_array_equal(rest["action"], after % 5)
    np.testing.assert_array_equal(observation[:, 0, 0, -1] + 1, after)


def test_3_no_stack_and_no_next_state_reaches_into_another_episode():
    buffer = make_buffer()
    play(buffer, [3, 1, 4])
    observation, rest = buffer.transitions()
    newest = observation[..., -1].astype(int)
    older = observation[..., 0].astype(int)
    # The frame before is the number before, or zeros at a beginning.
    assert np.all((older == newest - 1) | (older == 0))
    assert [int(o[0, 0, 0]) for o in observation] == [
        *(0, 1, 2),
        0,
        *(0, 7, 8, 9),
    ]
    np.testing.assert_array_equal(rest["next_observation"][..., 0], newest)


def test_4_all_of_a_ring_that_has_wrapped_can_be_sampled():
    buffer = make_buffer(capacity=13)
    last = play(buffer, [40])
    assert len(buffer) == 13
    rewards = {r for _ in range(100) for r in buffer.sample(10)[1]["reward"]}
    assert rewards == set(range(last - 12, last + 1))


def test_5_frames_are_stored_once_as_bytes():
    buffer = rlk.replay.ReplayBuffer(
        20_000, (84, 84, 4), "uint8", num_envs=8, frame_stack=4
    )
    assert buffer.nbytes / buffer.capacity <= 1.05 * 84 * 84
    small = make_buffer()
    play(small, [5])
    assert small.sample(2)[0].dtype == np.uint8


def test_6_a_time_limit_keeps_the_value_of_the_last_state():
    limited, ended = make_buffer(discount=0.9), make_buffer(discount=0.9)
    play(limited, [4], end="truncated")
    play(ended, [4], end="terminated")
    np.testing.assert_allclose(limited.transitions()[1]["discount"], [0.9] * 4)
    np.testing.assert_allclose(
        ended.transitions()[1]["discount"], [0.9, 0.9, 0.9, 0.0]
    )
    # Bootstrapped from the true final observation, not from a reset's.
    final = limited.transitions()[1]["next_observation"][-1, 0, 0]
    np.testing.assert_array_equal(final, [4, 5])


def test_7_epsilon_has_no_jump():
    schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 500, 0.1)
    policy = rlk.policies.EpsilonGreedy(schedule, seed=0)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    values = []
    for step in range(0, 600, 10):
        policy(network, np.zeros((1, 2), "float32"), step)
        values.append(policy.epsilon)
    assert values[0] == 1.0 and abs(values[-1] - 0.1) < 1e-6
    assert np.max(np.abs(np.diff(values))) < 0.0181


def test_8_acting_is_one_compiled_call_for_all_environments():
    traces = []

    class Network(keras.Model):
        output_shape = (None, 2)

        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            traces.append(x.shape)
            return self.dense(x)

    network = Network()
    network(np.zeros((1, 3), "float32"))
    policy = rlk.policies.Greedy()
    policy(network, np.zeros((8, 3), "float32"), 0)
    before = len(traces)
    for step in range(50):
        assert policy(network, np.ones((8, 3), "float32"), step).shape == (8,)
    assert len(traces) == before
