"""The comparison with the oracle has to notice what is known to go wrong.

Each class below is a buffer with one fault, most of them published bugs.
"""

import numpy as np
import pytest

from tests.replay.oracle import Harness, OracleReplay

EPISODES = (
    (4, "terminated"),
    (1, "truncated"),
    (7, "both"),
    (2, "truncated"),
    (5, "terminated"),
)
SCENARIOS = [
    {
        "capacity": 7,
        "num_envs": 3,
        "observation_shape": (2, 3, 3),
        "frame_stack": 3,
        "episodes": EPISODES,
        "padding": "repeat",
        "autoreset": "next_step",
    },
    {
        "capacity": 23,
        "num_envs": 2,
        "observation_shape": (3,),
        "observation_dtype": "float32",
        "n_step": 3,
        "episodes": EPISODES,
        "autoreset": "same_step",
    },
]


FAULTS = []


def fault(symptom):
    """Lists a class with the message that has to give it away."""

    def add_to_list(buffer_class):
        FAULTS.append((buffer_class, symptom))
        return buffer_class

    return add_to_list


def run_scenarios(buffer_class):
    for scenario in SCENARIOS:
        harness = Harness(buffer_class, **scenario)
        for _ in range(8):
            for _ in range(3):
                harness.step()
                harness.check_content()
            harness.jump(1)
            harness.step(2)
            harness.check_content()
            harness.step(dropped=[0])
            harness.step(2)
            harness.check_content()
            harness.check_every_one_is_sampled()
            harness.save_and_load()


class PreviousValue(OracleReplay):
    """Pairs the named values with the state one step too late."""

    names = ()

    def add_step(self, environment, step):
        previous = self.__dict__.setdefault("previous", {})
        current = {name: getattr(step, name) for name in self.names}
        for name, value in previous.get(environment, current).items():
            setattr(step, name, value)
        previous[environment] = current
        super().add_step(environment, step)


@fault("action: wrong values")
class PreviousAction(PreviousValue):
    names = ("action",)


@fault("reward: wrong values")
class PreviousReward(PreviousValue):
    names = ("reward",)


@fault("discount: wrong values")
class PreviousEnd(PreviousValue):
    names = ("terminated", "truncated")


@fault("next_observation: wrong values")
class PreviousNextObservation(PreviousValue):
    names = ("next_observation",)


@fault("discount: wrong values")
class TerminalBootstraps(OracleReplay):
    def add_step(self, environment, step):
        step.truncated = step.terminated or step.truncated
        step.terminated = False
        super().add_step(environment, step)


@fault("discount: wrong values")
class TruncationStopsBootstrap(OracleReplay):
    def add_step(self, environment, step):
        step.terminated = step.terminated or step.truncated
        super().add_step(environment, step)


@fault("discount: wrong values")
class TruncationHidesTerminal(OracleReplay):
    def add_step(self, environment, step):
        step.terminated = step.terminated and not step.truncated
        super().add_step(environment, step)


@fault("next_observation: wrong values")
class NextObservationOfNextEpisode(OracleReplay):
    def transition(self, steps):
        self.latest = super().transition(steps)
        return self.latest

    def add_step(self, environment, step):
        ended = self.__dict__.setdefault("ended", {})
        if environment in ended:
            ended.pop(environment)["next_observation"] = step.observation
        super().add_step(environment, step)
        if step.terminated or step.truncated:
            ended[environment] = self.latest


@fault("observation: wrong values")
class StackStraddlesEpisodes(OracleReplay):
    def add_step(self, environment, step):
        frames = self.__dict__.setdefault("frames", {})
        newest = frames.setdefault(environment, [])
        newest.append(step.observation[..., -1])
        size = self.observation_shape[-1]
        if len(newest) >= size:
            step.observation = np.stack(newest[-size:], axis=-1)
        super().add_step(environment, step)


@fault("observation: wrong values")
class FirstStackPaddedWithZeros(OracleReplay):
    def add_step(self, environment, step):
        newest = step.observation[..., -1:]
        if np.all(step.observation == newest):
            step.observation[..., :-1] = 0
        super().add_step(environment, step)


@fault("discount: wrong values")
class DiscountNotRaised(OracleReplay):
    def transition(self, steps):
        transition = super().transition(steps)
        transition["discount"] = self.discount * (transition["discount"] > 0)
        return transition


@fault("discount: wrong values")
class DiscountRaisedBeyondTheEnd(OracleReplay):
    def transition(self, steps):
        transition = super().transition(steps)
        if transition["discount"]:
            transition["discount"] = self.discount**self.n_step
        return transition


@fault("reward: wrong values")
class RewardNotDiscounted(OracleReplay):
    def transition(self, steps):
        transition = super().transition(steps)
        transition["reward"] = sum(step.reward for step in steps)
        return transition


@fault("reward: wrong values")
class RewardDiscountedOnceMore(OracleReplay):
    def transition(self, steps):
        transition = super().transition(steps)
        transition["reward"] *= self.discount
        return transition


@fault("next_observation: wrong values")
class NextObservationOfFirstStep(OracleReplay):
    def transition(self, steps):
        transition = super().transition(steps)
        transition["next_observation"] = steps[0].next_observation
        return transition


@fault("length")
class NStepRunsAcrossEpisodes(OracleReplay):
    def finish(self, environment):
        pass


@fault("length")
class ShortTrajectoriesLost(OracleReplay):
    def finish(self, environment):
        self.pending[environment].clear()


@fault("observation: wrong values")
class NewestFirstAtTheEnd(OracleReplay):
    def finish(self, environment):
        pending = self.pending[environment]
        for start in reversed(range(len(pending))):
            self.store(self.transition(pending[start:]))
        pending.clear()


@fault("observation: wrong values")
class JumpNotNoticed(OracleReplay):
    def add_step(self, environment, step):
        if self.pending[environment]:
            self.pending[environment][-1].next_observation = step.observation
        super().add_step(environment, step)


@fault("length")
class AvailableOneStepLate(OracleReplay):
    def store(self, transition):
        if late := self.__dict__.get("late"):
            super().store(late)
        self.late = transition


@fault("length")
class FakeRowsStored(OracleReplay):
    def add(self, *, valid=None, **rows):
        super().add(**rows)


@fault("observation: wrong values")
class EnvironmentsInReverse(OracleReplay):
    def add(self, **rows):
        self.pending.reverse()
        super().add(**{name: rows[name][::-1] for name in rows})
        self.pending.reverse()


@fault("observation: wrong values")
class RowsNotCopied(OracleReplay):
    def add(self, *, observation, **rows):
        class Shared(np.ndarray):
            def copy(self):
                return np.asarray(self)

        super().add(observation=observation.view(Shared), **rows)


@fault("length")
class CapacityTooSmall(OracleReplay):
    def store(self, transition):
        super().store(transition)
        del self.held[: max(0, len(self.held) - self.capacity + 1)]


@fault("observation: wrong values")
class FullRingStaysAsItIs(OracleReplay):
    def store(self, transition):
        if len(self.held) < self.capacity:
            super().store(transition)


@fault("observation: wrong values")
class NewestOverwritten(OracleReplay):
    def store(self, transition):
        del self.held[self.capacity - 1 :]
        super().store(transition)


@fault("observation: dtype")
class Float32Frames(OracleReplay):
    def batch(self, transitions):
        observation, labels = super().batch(transitions)
        return observation.astype("float32"), labels


@fault("reward: dtype")
class Float64Rewards(OracleReplay):
    def batch(self, transitions):
        observation, labels = super().batch(transitions)
        labels["reward"] = labels["reward"].astype("float64")
        return observation, labels


@fault("are never sampled")
class NewestNeverSampled(OracleReplay):
    def sample(self, batch_size):
        high = max(1, len(self.held) - 1)
        indices = self.generator.integers(high, size=batch_size)
        return self.batch([self.held[index] for index in indices])


@fault("are never sampled")
class OnlySampledBeforeTheCursor(OracleReplay):
    def store(self, transition):
        super().store(transition)
        self.stored = self.__dict__.get("stored", 0) + 1

    def sample(self, batch_size):
        after = self.capacity - self.stored % self.capacity
        pool = self.held[after:] if self.stored > after else self.held
        indices = self.generator.integers(len(pool), size=batch_size)
        return self.batch([pool[index] for index in indices])


@fault("are not held")
class OverwrittenStillSampled(OracleReplay):
    def store(self, transition):
        self.overwritten = self.held[:1]
        super().store(transition)

    def sample(self, batch_size):
        pool = self.overwritten + self.held
        indices = self.generator.integers(len(pool), size=batch_size)
        return self.batch([pool[index] for index in indices])


@fault("reward: wrong values")
class SamplesMixedUp(OracleReplay):
    def sample(self, batch_size):
        observation, labels = super().sample(batch_size)
        labels["reward"] = labels["reward"][::-1].copy()
        return observation, labels


@fault("length")
class PendingStepsNotSaved(OracleReplay):
    def __getstate__(self):
        return {**self.__dict__, "pending": [[] for _ in self.pending]}


@fault("observation: wrong values")
class PositionNotSaved(OracleReplay):
    def __getstate__(self):
        return {**self.__dict__, "held": self.held[2:] + self.held[:2]}


@fault("samples differ after loading")
class GeneratorNotSaved(OracleReplay):
    def __getstate__(self):
        return {**self.__dict__, "generator": np.random.default_rng(8)}


def test_oracle_agrees_with_itself():
    run_scenarios(OracleReplay)


@pytest.mark.parametrize("buffer_class, symptom", FAULTS)
def test_fault_is_noticed(buffer_class, symptom):
    with pytest.raises(AssertionError, match=rf"(^|\s){symptom}"):
        run_scenarios(buffer_class)
