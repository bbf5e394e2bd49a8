"""TD errors come back from `fit`, for every transition that was trained on."""

import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.callbacks import CollectSteps
from tests.callbacks.scripted_environments import (
    Spy,
    data_of,
    fit,
    make_agent,
    make_buffer,
    make_scripted,
)

ALPHA, EPSILON = 0.7, 0.01
LEARNING_RATE, TARGET_RATE = 0.02, 0.25


class LinearDoubleDQN:
    """The same learning in NumPy: a linear network, Huber's loss, SGD."""

    def __init__(self, kernel, bias):
        # The bias is the weight of a constant input.
        self.online = np.vstack([kernel, bias]).astype(np.float64)
        self.target = self.online.copy()

    def train(self, observation, transition, weight):
        """Takes one gradient step; returns target - Q(s, a) before it."""
        ones = np.ones((len(weight), 1))
        now = np.hstack([observation, ones])
        then = np.hstack([transition["next_observation"], ones])
        rows, action = np.arange(len(weight)), transition["action"]
        best = (then @ self.online).argmax(axis=1)
        target = (then @ self.target)[rows, best]
        target = transition["reward"] + transition["discount"] * target
        td_error = target - (now @ self.online)[rows, action]
        slope = -np.clip(td_error, -1, 1) * weight / len(weight)
        gradient = np.zeros_like(self.online)
        for row in rows:
            gradient[:, action[row]] += slope[row] * now[row]
        self.online -= LEARNING_RATE * gradient
        self.target += TARGET_RATE * (self.online - self.target)
        return td_error


class Priorities:
    """What priorities should be, transition by transition."""

    def __init__(self):
        self.of = {}
        self.largest = 1.0

    def came(self, numbers):
        self.of.update(dict.fromkeys(numbers, self.largest))

    def update(self, index, td_error, oldest):
        for number, error in zip(index.tolist(), td_error, strict=True):
            # In the place of older ones are others by now.
            if number >= oldest:
                self.of[number] = (abs(error) + EPSILON) ** ALPHA
                self.largest = max(self.largest, self.of[number])


class Looks(keras.callbacks.Callback):
    """Notes which transitions are stored before and after each collection."""

    def __init__(self, buffer, seen):
        super().__init__()
        self.buffer = buffer
        self.seen = seen

    def look(self):
        end = self.buffer._ring.added
        self.seen.append((end - len(self.buffer), end))

    def on_train_begin(self, logs=None):
        self.look()

    def on_train_batch_end(self, batch, logs=None):
        self.look()


def make_noting_buffer(environment, **arguments):
    """A buffer and the list of the batches that it has drawn."""
    sampler = rlk.replay.Prioritized(ALPHA, beta=0.5, epsilon=EPSILON)
    buffer = make_buffer(environment, sampler=sampler, **arguments)
    draw, batches = buffer.feed._draw, []

    def noting_draw(*arguments, **options):
        drawn = draw(*arguments, **options)
        if isinstance(drawn, list):
            # Those of one execution, one behind the other.
            (execution,) = drawn
            for number in range(len(execution[0])):
                batches.append(
                    keras.tree.map_structure(lambda p: p[number], execution)
                )
        else:
            batches.append(drawn)
        return drawn

    buffer.feed._draw = noting_draw
    return buffer, batches


def make_linear_agent(steps_per_execution, jit_compile="auto"):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    kernel = np.array([[0.1, -0.2], [0.05, 0.03], [-0.1, 0.2]])
    bias = np.array([0.3, -0.1])
    network.set_weights([kernel, bias])
    agent = rlk.models.DoubleDQN(network, target_update_rate=TARGET_RATE)
    agent.compile(
        optimizer=keras.optimizers.SGD(LEARNING_RATE),
        loss=keras.losses.Huber(),
        steps_per_execution=steps_per_execution,
        jit_compile=jit_compile,
    )
    return agent, LinearDoubleDQN(kernel, bias)


@pytest.mark.parametrize(
    "steps_per_execution, jit_compile, prefetch, capacity, num_envs, n_step",
    [
        (1, "auto", 0, 1_000, None, 1),
        (8, "auto", 0, 1_000, 2, 3),
        (3, False, 2, 30, 3, 1),
        (8, True, 1, 30, None, 2),
        (1, True, 0, 30, 2, 1),
    ],
)
def test_every_trained_transition_has_the_priority_of_its_td_error(
    steps_per_execution, jit_compile, prefetch, capacity, num_envs, n_step
):
    lengths = (4, 7) if num_envs is None else [(4, 7)] * num_envs
    environment = make_scripted(num_envs, lengths=lengths, reward=0.7)
    buffer, batches = make_noting_buffer(
        environment, capacity=capacity, n_step=n_step
    )
    agent, twin = make_linear_agent(steps_per_execution, jit_compile)
    policy = rlk.policies.EpsilonGreedy(0.5, seed=0)
    collect = CollectSteps(environment, buffer, policy, 3, 20, seed=0)
    before, after = [], []
    # Looks before and after the collection that follows an execution.
    callbacks = [Looks(buffer, before), collect, Looks(buffer, after)]
    # Neither 3 nor 8 divides 10: Keras takes whole executions.
    data = data_of(buffer, 5, prefetch)
    # Steps that are not compiled take long.
    epochs = 2 if jit_compile else 1
    fit(agent, data, callbacks, steps=10, epochs=epochs)
    taken = int(agent.gradient_steps)
    assert taken == {1: 20, 3: 12, 8: 32}[steps_per_execution]

    expected = Priorities()
    expected.came(range(*after[0]))
    trained = iter(batches[:taken])
    for (oldest, end), (_, new_end) in zip(before[1:], after[1:], strict=True):
        for _ in range(steps_per_execution):
            observation, transition, weight = next(trained)
            td_error = twin.train(observation, transition, weight)
            expected.update(transition["index"], td_error, oldest)
        expected.came(range(end, new_end))
    assert not list(trained)
    oldest, end = after[-1]
    expected = [expected.of[number] for number in range(oldest, end)]
    np.testing.assert_allclose(buffer.priorities(), expected, rtol=2e-4)
    # Errors were of many sizes, and some transitions were overwritten.
    assert len(set(np.round(expected, 6))) > 5
    assert (oldest > 0) == (capacity == 30)
    kernel, bias = agent.q_network.get_weights()
    np.testing.assert_allclose(np.vstack([kernel, bias]), twin.online, 2e-4)


def test_a_hand_worked_error():
    # Q values are 1 and 3, whatever is seen; each step is an episode of reward
    # 7, so that the target is 7, and the actions taken are 1: TD error 4.
    environment = make_scripted(lengths=(1,), truncates=False, reward=7.0)
    sampler = rlk.replay.Prioritized(alpha=0.5, epsilon=0.25)
    buffer = make_buffer(environment, sampler=sampler)
    agent = make_agent(values=[1.0, 3.0], learning_rate=0.0)
    collect = CollectSteps(environment, buffer, Spy(action=1), 1, 0)
    fit(agent, data_of(buffer, 1), [collect], steps=1)
    # The first was drawn at random: TD error 4 of action 1, 6 of action 0.
    first = buffer.transitions()[1]["action"][0]
    priority = (4.25 if first == 1 else 6.25) ** 0.5
    np.testing.assert_allclose(buffer.priorities(), [priority, priority])
    assert agent.take_td_errors()[0].size == 0


def test_a_second_fit_with_other_batches_and_executions():
    environment = make_scripted()
    buffer, _ = make_noting_buffer(environment)
    agent, _ = make_linear_agent(2)
    collect = CollectSteps(environment, buffer, Spy(), 1, 60)
    fit(agent, data_of(buffer, 4), [collect], steps=4)
    fit(agent, data_of(buffer, 9), [collect], steps=4)
    agent.compile(
        optimizer="sgd", loss="huber", metrics=["mae"], steps_per_execution=5
    )
    fit(agent, data_of(buffer, 40), [collect], steps=10)
    # Nearly all were trained on by now: few have the same.
    assert len(set(buffer.priorities().tolist())) > 20


@pytest.mark.parametrize("first", ["uniform", "nobody", "smaller"])
def test_a_model_trained_before_in_another_way(first):
    environment = make_scripted()
    buffer, batches = make_noting_buffer(environment)
    collect = CollectSteps(environment, buffer, Spy(), 1, 9)
    agent, _ = make_linear_agent(2)
    data = data_of(buffer)
    if first == "uniform":
        plain = make_buffer(environment)
        others = [CollectSteps(environment, plain, Spy(), 1, 9)]
        fit(agent, data_of(plain), others, steps=2)
    elif first == "nobody":
        # Trained on batches with priorities that nobody asks for.
        collect.set_model(agent)
        collect.on_train_begin()
        other, _ = make_linear_agent(2)
        agent = other
        fit(agent, data, [], steps=2)
    else:
        fit(agent, data, [collect], steps=2)
        # From now on there is more to remember, for the same batches.
        data_of(buffer, 8)
    fit(agent, data, [collect], steps=2)
    # The train function was traced when that was not to be remembered.
    trained = np.concatenate([batch[1]["index"] for batch in batches[-2:]])
    assert len(agent.take_td_errors()[0]) == 0
    stored = buffer.priorities()[trained]
    assert len(set(stored.tolist()) - {1.0, stored.max()}) > 1


def test_metrics_reset_in_between_lose_no_errors():
    class Resets(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.reset_metrics()

    environment = make_scripted()
    buffer, batches = make_noting_buffer(environment)
    agent, _ = make_linear_agent(2)
    collect = CollectSteps(environment, buffer, Spy(), 1, 9)
    fit(agent, data_of(buffer), [Resets(), collect], steps=2)
    trained = np.concatenate([batch[1]["index"] for batch in batches[-2:]])
    assert (buffer.priorities()[trained] != 1).all()


def test_neither_logs_nor_weights_nor_files_know_of_it(tmp_path):
    environment = make_scripted()
    buffer, _ = make_noting_buffer(environment)
    sizes, logs = [], []
    for replay in (make_buffer(environment), buffer):
        agent, _ = make_linear_agent(8)
        collect = CollectSteps(environment, replay, Spy(), 1, 9)
        logs.append(set(fit(agent, data_of(replay), [collect], steps=8)))
        path = tmp_path / "agent.keras"
        agent.save(path)
        sizes.append(path.stat().st_size)
        assert len(agent.weights) == 2 + 2 + 1
        loaded = keras.models.load_model(path)
        for ours, theirs in zip(
            agent.get_weights(), loaded.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
        # It goes on where it stood.
        fit(loaded, data_of(replay), [collect], steps=8)
    assert logs[0] == logs[1]
    assert abs(sizes[0] - sizes[1]) < 64


def train(seed, prefetch, steps_per_execution):
    keras.utils.set_random_seed(seed)
    environment = make_scripted(2, lengths=[(3, 8), (5,)])
    buffer, batches = make_noting_buffer(environment, capacity=60, seed=seed)
    agent = make_agent(steps_per_execution=steps_per_execution)
    policy = rlk.policies.EpsilonGreedy(0.5, seed=seed)
    collect = CollectSteps(environment, buffer, policy, 2, 20, seed=seed)
    data = data_of(buffer, 8, prefetch)
    fit(agent, data, [collect], steps=24, epochs=2)
    index = [batch[1]["index"].tolist() for batch in batches]
    return index, buffer.priorities().tolist(), agent.get_weights()


@pytest.mark.parametrize(
    "prefetch, steps_per_execution", [(0, 1), (2, 1), (2, 8)]
)
def test_the_same_seed_gives_the_same_run(prefetch, steps_per_execution):
    first = train(1, prefetch, steps_per_execution)
    second = train(1, prefetch, steps_per_execution)
    assert first[:2] == second[:2]
    for a, b in zip(first[2], second[2], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_that_gives_no_td_errors():
    environment = make_scripted()
    buffer, _ = make_noting_buffer(environment)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    network.compile(optimizer="sgd", loss="mse")
    collect = CollectSteps(environment, buffer, Spy(), 1)
    with pytest.raises(
        ValueError,
        match="The model must give its TD errors back for a buffer with prior"
        "ities, .* Received: Sequential.",
    ):
        network.fit(
            np.zeros((4, 3)), np.zeros((4, 2)), callbacks=[collect], verbose=0
        )


def test_training_that_diverges_says_so():
    environment = make_scripted(reward=3.0)
    buffer, _ = make_noting_buffer(environment)
    agent = make_agent(learning_rate=np.inf)
    collect = CollectSteps(environment, buffer, Spy(), 1)
    with pytest.raises(ValueError, match="`td_error` must be finite in float3"):
        fit(agent, data_of(buffer), [collect], steps=20)
