"""A replay buffer too simple to be wrong, and the comparison with it."""

import math
import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_rlkit.replay import Prioritized
from tests.replay.synthetic_environments import SyntheticEnvironments

REWARD_TOLERANCE = 1e-6
PRIORITIES = {"alpha": 0.6, "beta": 0.7, "epsilon": 0.1}


@dataclass
class Step:
    observation: np.ndarray
    action: int
    reward: float
    terminated: bool
    truncated: bool
    next_observation: np.ndarray


class OracleReplay:
    """Brute force: a list of whole transitions, oldest first.

    Each knows its number and its priority, whether or not these are asked for.
    """

    def __init__(
        self,
        capacity,
        observation_shape,
        observation_dtype,
        num_envs=1,
        frame_stack=None,
        n_step=1,
        discount=0.99,
        sampler=None,
        seed=None,
    ):
        self.capacity = capacity
        self.observation_shape = observation_shape
        self.observation_dtype = observation_dtype
        self.n_step = n_step
        self.discount = discount
        self.generator = np.random.default_rng(seed)
        self.held = []
        self.count = 0
        self.largest_priority = 1.0
        # For each environment: the steps whose transition is not held yet.
        self.pending = [[] for _ in range(num_envs)]

    def __len__(self):
        return len(self.held)

    def add(
        self,
        observation,
        action,
        reward,
        terminated,
        truncated,
        next_observation,
        valid=None,
    ):
        for environment in range(len(self.pending)):
            if valid is None or valid[environment]:
                step = Step(
                    observation[environment].copy(),
                    int(action[environment]),
                    float(reward[environment]),
                    bool(terminated[environment]),
                    bool(truncated[environment]),
                    next_observation[environment].copy(),
                )
                self.add_step(environment, step)

    def add_step(self, environment, step):
        pending = self.pending[environment]
        if pending and not np.array_equal(
            pending[-1].next_observation, step.observation
        ):
            self.finish(environment)
        pending.append(step)
        if len(pending) == self.n_step:
            self.store(self.transition(pending))
            del pending[0]
        if step.terminated or step.truncated:
            self.finish(environment)

    def finish(self, environment):
        pending = self.pending[environment]
        while pending:
            self.store(self.transition(pending))
            del pending[0]

    def transition(self, steps):
        reward = 0.0
        for power, step in enumerate(steps):
            reward += self.discount**power * step.reward
        bootstrap = 0.0 if steps[-1].terminated else self.discount ** len(steps)
        return {
            "observation": steps[0].observation,
            "action": steps[0].action,
            "reward": reward,
            "discount": bootstrap,
            "next_observation": steps[-1].next_observation,
        }

    def store(self, transition):
        transition["number"] = self.count
        transition["priority"] = self.largest_priority
        self.count += 1
        self.held.append(transition)
        if len(self.held) > self.capacity:
            del self.held[0]

    def update_priorities(self, index, td_error, oldest):
        """Passes over numbers below `oldest`, which the buffer has dropped."""
        alpha, epsilon = PRIORITIES["alpha"], PRIORITIES["epsilon"]
        for number, error in zip(index, td_error, strict=True):
            for transition in self.held:
                if transition["number"] == number >= oldest:
                    priority = (abs(error) + epsilon) ** alpha
                    transition["priority"] = priority
                    self.largest_priority = max(self.largest_priority, priority)

    def transitions(self):
        return self.batch(self.held)

    def sample(self, batch_size):
        indices = self.generator.integers(len(self.held), size=batch_size)
        return self.batch([self.held[index] for index in indices])

    def batch(self, transitions):
        def column(name, dtype, shape=()):
            values = [transition[name] for transition in transitions]
            return np.array(values, dtype).reshape((len(values), *shape))

        shape, dtype = self.observation_shape, self.observation_dtype
        return column("observation", dtype, shape), {
            "action": column("action", "int32"),
            "reward": column("reward", "float32"),
            "discount": column("discount", "float32"),
            "next_observation": column("next_observation", dtype, shape),
        }

    def save(self, path):
        Path(path).write_bytes(pickle.dumps(self))

    @classmethod
    def load(cls, path):
        return pickle.loads(Path(path).read_bytes())


class Harness:
    """The oracle and the buffers under test, fed by the same environments.

    A buffer that was saved and loaded stays beside its copy: from then on
    both have to do the same.
    """

    def __init__(
        self,
        buffer_class,
        *,
        capacity,
        num_envs=1,
        observation_shape=(2, 3),
        observation_dtype="uint8",
        frame_stack=None,
        n_step=1,
        discount=0.9,
        prioritized=False,
        **plan,
    ):
        shared = (num_envs, observation_shape, observation_dtype, frame_stack)
        self.environments = SyntheticEnvironments(*shared, **plan)
        arguments = {
            "capacity": capacity,
            "observation_shape": observation_shape,
            "observation_dtype": observation_dtype,
            "num_envs": num_envs,
            "frame_stack": frame_stack,
            "n_step": n_step,
            "discount": discount,
            "seed": 3,
        }
        self.oracle = OracleReplay(**arguments)
        self.prioritized = prioritized
        if prioritized:
            arguments["sampler"] = Prioritized(**PRIORITIES)
        self.buffers = [buffer_class(**arguments)]
        self.loads = 0
        # The last batches drawn, for TD errors that come late.
        self.indices = []

    def step(self, count=1, dropped=()):
        for _ in range(count):
            rows = self.environments.step(dropped)
            self.oracle.add(**rows)
            for buffer in self.buffers:
                lent = {name: values.copy() for name, values in rows.items()}
                buffer.add(**lent)
                # Environments may reuse their arrays for the next step.
                for values in lent.values():
                    values.fill(0)

    def jump(self, environment):
        """Starts a new episode without telling the buffers of an end."""
        self.environments.reset(environment)

    def save_and_load(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "replay"
            self.buffers[-1].save(path)
            loaded = type(self.buffers[-1]).load(path)
        self.buffers = [self.buffers[-1], loaded]
        self.loads += 1

    def check_content(self, all_of_it=True):
        """Compares what is held: all of it, or only its newest part."""
        for buffer in self.buffers:
            held, expected = len(buffer), len(self.oracle)
            complete = held == expected
            if not all_of_it:
                complete = min(1, expected) <= held <= expected
            assert complete, f"length {held} instead of {expected}"
            newest = self.oracle.held[expected - held :]
            assert_batches_equal(
                buffer.transitions(), self.oracle.batch(newest)
            )
            if self.prioritized:
                priorities = [transition["priority"] for transition in newest]
                np.testing.assert_allclose(
                    buffer.priorities(), priorities, err_msg="priorities"
                )

    def update_priorities(self, age, seed):
        """Hands in TD errors of a batch that was drawn a while ago."""
        index = self.indices[-1 - age % len(self.indices)]
        generator = np.random.default_rng(seed)
        # The last one of a transition that comes twice counts.
        index = generator.choice(index, len(index))
        td_error = generator.uniform(0.5, 2, len(index))
        td_error *= generator.choice([-1, 1], len(index))
        oldest = self.oracle.count - len(self.buffers[0])
        self.oracle.update_priorities(index, td_error, oldest)
        for buffer in self.buffers:
            buffer.update_priorities(index, td_error)

    def check_weights(self, index, weight):
        """Compares with the formula of the paper; returns rows of `held`."""
        rows = {t["number"]: row for row, t in enumerate(self.oracle.held)}
        strange = sorted(set(index.tolist()) - set(rows))
        assert not strange, f"sampled numbers {strange} are not held"
        priority = [t["priority"] for t in self.oracle.held]
        probability = np.array(priority) / sum(priority)
        chosen = [rows[number] for number in index.tolist()]
        expected = len(priority) * probability[chosen]
        expected = expected ** -PRIORITIES["beta"]
        np.testing.assert_allclose(
            weight, expected / expected.max(), rtol=1e-5, err_msg="weights"
        )
        return chosen

    def check_samples(self, batch_size):
        """Every sampled transition is held; returns the actions sampled."""
        observation, labels = self.oracle.transitions()
        position = {int(a): i for i, a in enumerate(labels["action"])}
        batches = [buffer.sample(batch_size) for buffer in self.buffers]
        for batch in batches:
            if self.prioritized:
                *batch, weight = batch
                index = batch[1].pop("index")
                batch = tuple(batch)
                chosen = self.check_weights(index, weight)
                np.testing.assert_array_equal(
                    batch[1]["action"],
                    labels["action"][chosen],
                    err_msg="`index` tells of other transitions",
                )
                self.indices = [*self.indices[-4:], index]
            actions = [int(action) for action in batch[1]["action"]]
            strange = sorted(set(actions) - set(position))
            assert not strange, f"sampled actions {strange} are not held"
            rows = [position[action] for action in actions]
            expected = {name: values[rows] for name, values in labels.items()}
            assert_batches_equal(batch, (observation[rows], expected))
            np.testing.assert_array_equal(
                batch[1]["action"],
                batches[0][1]["action"],
                err_msg="samples differ after loading",
            )
        return actions

    def check_every_one_is_sampled(self):
        """Draws until a miss by chance is less likely than 1e-9."""
        held = len(self.oracle)
        missed = set(self.oracle.transitions()[1]["action"].tolist())
        batches = math.ceil(math.log(held) + 21)
        if self.prioritized:
            # The least priority of all is 0.4 times the largest.
            batches *= 4
        for _ in range(batches):
            missed -= set(self.check_samples(held))
        assert not missed, f"actions {sorted(missed)} are never sampled"


def assert_batches_equal(actual, expected):
    """Compares two batches: exactly, except for the last bits of rewards."""
    assert isinstance(actual, tuple) and len(actual) == 2
    assert set(actual[1]) == set(expected[1]), f"keys {sorted(actual[1])}"
    actual = {"observation": actual[0], **actual[1]}
    expected = {"observation": expected[0], **expected[1]}
    for name, values in expected.items():
        assert isinstance(actual[name], np.ndarray), f"{name}: no array"
        assert actual[name].dtype == values.dtype, (
            f"{name}: dtype {actual[name].dtype} instead of {values.dtype}"
        )
        assert actual[name].shape == values.shape, (
            f"{name}: shape {actual[name].shape} instead of {values.shape}"
        )
    for name, values in expected.items():
        message = f"{name}: wrong values"
        if name == "reward":
            np.testing.assert_allclose(
                actual[name], values, rtol=REWARD_TOLERANCE, err_msg=message
            )
        else:
            np.testing.assert_array_equal(actual[name], values, err_msg=message)
