import csv
import re
import warnings

import keras
import numpy as np
import pytest

from keras_rlkit.callbacks import (
    Collector,
    CollectRollout,
    CollectSteps,
    EvaluatePolicy,
)
from keras_rlkit.environments import as_vector
from keras_rlkit.models import ActorCritic
from keras_rlkit.policies import Categorical, EpsilonGreedy, Greedy
from keras_rlkit.replay import EpisodeBuffer
from tests.callbacks.scripted_environments import (
    Spy,
    data_of,
    fit,
    make_agent,
    make_buffer,
    make_scripted,
)


def epsilon_schedule(step):
    return max(0.0, 1 - step / 100)


def collect(environment, policy=None, steps_per_update=1, warmup_steps=4):
    buffer = make_buffer(environment)
    policy = policy or Spy()
    callback = CollectSteps(
        environment, buffer, policy, steps_per_update, warmup_steps
    )
    return callback, data_of(buffer)


class Kept(keras.callbacks.Callback):
    """Keeps a copy of the logs that it gets."""

    def __init__(self):
        super().__init__()
        self.batches = []
        self.epochs = []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(dict(logs))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(dict(logs))


def test_history_has_the_means_of_each_epoch():
    # Warm-up: 4 steps, into the first episode. The epochs' steps are 5 to 8,
    # 9 to 12 and 13 to 16, episodes end at 5, 8, 10 and 16.
    environment = make_scripted(lengths=(5, 3, 2, 6), reward=2.0)
    callback, data = collect(environment)
    history = fit(make_agent(), data, [callback], steps=4, epochs=3)
    assert history["episode_return"] == [8.0, 4.0, 12.0]
    assert history["episode_length"] == [4.0, 2.0, 6.0]
    assert history["environment_steps"] == [8, 12, 16]
    assert "epsilon" not in history
    assert all(type(value) is float for value in history["episode_return"])


def test_before_the_first_end_of_an_episode_there_is_no_mean():
    callback, data = collect(make_scripted(lengths=(8, 3)), warmup_steps=4)
    history = fit(make_agent(), data, [callback], steps=2, epochs=4)
    # The second epoch ends the first episode at step 8, the fourth the next
    # one at step 11. The first and third have nothing to tell.
    assert history["episode_return"] == [None, 8.0, None, 3.0]
    assert history["episode_length"] == [None, 8.0, None, 3.0]
    assert history["environment_steps"] == [6, 8, 10, 12]


def test_episodes_of_the_warm_up_belong_to_no_epoch():
    # Ten episodes of one step in the warm-up, then one of 5 steps.
    lengths = (1,) * 10 + (5,) * 10
    callback, data = collect(make_scripted(lengths=lengths), warmup_steps=10)
    kept = Kept()
    history = fit(make_agent(), data, [callback, kept], steps=5, epochs=1)
    shown = [logs.get("episode_return") for logs in kept.batches]
    assert shown == [None, None, None, None, 5.0]
    assert history["episode_return"] == [5.0]


def test_scores_of_several_environments():
    environment = make_scripted(2, lengths=[(2,), (4,)])
    callback, data = collect(environment, steps_per_update=2)
    history = fit(make_agent(), data, [callback], steps=4)
    # 4 steps of warm-up are 2 of each; in 4 more the first environment ends
    # two episodes of 2 and the second one ends its first and second half.
    assert history["episode_return"] == [(2 + 2 + 4) / 3]


def test_epsilon_is_the_one_last_acted_with():
    policy = EpsilonGreedy(epsilon_schedule, seed=0)
    callback, data = collect(make_scripted(), policy)
    history = fit(make_agent(), data, [callback], steps=10, epochs=2)
    # The step of an update is that of its beginning.
    assert history["epsilon"] == pytest.approx([0.91, 0.81])


def test_progress_bar(capsys):
    policy = EpsilonGreedy(epsilon_schedule, seed=0)
    callback, data = collect(make_scripted(reward=3.0), policy)
    fit(make_agent(), data, [callback], steps=10, epochs=2, verbose=1)
    output = capsys.readouterr().out
    # Not a mean over the epoch's batches, which the bar makes of other things.
    last = output.strip().splitlines()[-1]
    for shown in (
        "episode_return: 15.0000",
        "episode_length: 5.0000",
        "environment_steps: 24",
        "epsilon: 0.8100",
    ):
        assert shown in last
    # It also moves within an epoch: this is the first update.
    assert re.search(r"environment_steps: 5\b", output)


def test_csv_file_and_callbacks_behind_it(tmp_path):
    path = tmp_path / "history.csv"
    callback, data = collect(make_scripted(), EpsilonGreedy(0.5, seed=0))
    kept = Kept()
    callbacks = [callback, keras.callbacks.CSVLogger(path), kept]
    history = fit(make_agent(), data, callbacks, steps=5, epochs=2)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    for name in (
        "episode_return",
        "episode_length",
        "environment_steps",
        "epsilon",
    ):
        assert [float(row[name]) for row in rows] == history[name]
        assert [logs[name] for logs in kept.epochs] == history[name]
        assert name in kept.batches[0]


@pytest.mark.tensorflow_only
def test_tensorboard(tmp_path):
    import tensorflow as tf
    from tensorboard.backend.event_processing import event_accumulator

    callback, data = collect(make_scripted(reward=2.0))
    board = keras.callbacks.TensorBoard(tmp_path)
    history = fit(make_agent(), data, [callback, board], steps=5, epochs=3)
    events = event_accumulator.EventAccumulator(
        str(tmp_path / "train"), {"tensors": 0}
    ).Reload()
    for name in ("episode_return", "episode_length", "environment_steps"):
        points = events.Tensors(f"epoch_{name}")
        written = [tf.make_ndarray(point.tensor_proto) for point in points]
        assert written == history[name]
        assert [point.step for point in points] == [0, 1, 2]


def test_an_episode_goes_on_from_one_fit_to_the_next():
    environment = make_scripted(lengths=(7,))
    callback, data = collect(environment)
    agent = make_agent()
    first = fit(agent, data, [callback], steps=2)
    second = fit(agent, data, [callback], steps=2)
    assert first["episode_return"] == [None]
    assert second["episode_return"] == [7.0]
    assert second["environment_steps"] == [8]
    # One reset at the start, one at the end of the episode.
    assert environment.resets == 2


def test_the_seed_reaches_the_first_reset_only():
    seeds = []
    environment = make_scripted(lengths=(2,))
    reset = environment.reset

    def noting_reset(*, seed=None, options=None):
        seeds.append(seed)
        return reset(seed=seed)

    environment.reset = noting_reset
    buffer = make_buffer(environment)
    callback = CollectSteps(environment, buffer, Spy(), 1, 4, seed=3)
    fit(make_agent(), data_of(buffer), [callback], steps=2)
    assert seeds == [3, None, None, None]


def test_random_actions_follow_the_seed():
    def warm_up(seed):
        environment = make_scripted(num_actions=5)
        buffer = make_buffer(environment)
        callback = CollectSteps(environment, buffer, Greedy(), 1, 30, seed=seed)
        callback.set_model(make_agent(actions=5))
        callback.on_train_begin()
        return environment.actions

    actions = warm_up(1)
    assert set(actions) == set(range(5))
    assert actions == warm_up(1)
    assert actions != warm_up(2)


def test_a_collector_of_ones_own():
    class CollectBetweenEpochs(Collector):
        def on_epoch_begin(self, epoch, logs=None):
            super().on_epoch_begin(epoch, logs)
            self._start()
            for _ in range(10):
                self._step(np.array([1]))

    environment = make_scripted(lengths=(5,))
    callback = CollectBetweenEpochs(environment, Spy())
    filled, data = collect(make_scripted())
    history = fit(make_agent(), data, [filled, callback], steps=1, epochs=2)
    assert environment.actions == [1] * 20
    assert history["environment_steps"] == [10, 20]
    assert history["episode_return"] == [5.0, 5.0]


def test_arguments():
    with pytest.raises(ValueError, match="`environment` must be a `gymnasium"):
        Collector("CartPole-v1", Greedy())
    with pytest.raises(ValueError, match=r"Received: seed=-1\."):
        Collector(make_scripted(), Greedy(), seed=-1)


def by_hand(environment):
    environment.reset()
    for _ in range(3):
        environment.step(environment.action_space.sample())


HANDS = {
    "single": (None, by_hand),
    "inside": (None, lambda e: by_hand(e.unwrapped)),
    "only a step": (None, lambda e: e.step(0)),
    "adapter": (None, lambda e: as_vector(e).reset()),
    "evaluation": (
        None,
        lambda e: EvaluatePolicy(e, Spy(), episodes=1).evaluate(None),
    ),
    "next step": ("next_step", by_hand),
    "same step": ("same_step", by_hand),
    "one of several": ("same_step", lambda e: by_hand(e.envs[1])),
}


@pytest.mark.parametrize("name", HANDS)
def test_who_played_by_hand_between_two_fits_is_noticed(name):
    mode, play = HANDS[name]
    num_envs = None if mode is None else 2
    environment = make_scripted(num_envs, mode, lengths=None)
    callback, data = collect(environment, steps_per_update=num_envs or 1)
    agent = make_agent()
    fit(agent, data, [callback], steps=6)
    with warnings.catch_warnings():
        # A step after an episode's end, as it may come by hand.
        warnings.simplefilter("ignore")
        play(environment)
    lengths = []
    for _ in range(3):
        lengths += fit(agent, data, [callback], steps=6)["episode_length"]
    now, rest = callback.buffer.transitions()
    # (number, episode, step): the same episode's next step, and no other.
    np.testing.assert_array_equal(rest["next_observation"], now + [0, 0, 1])
    assert [length for length in lengths if length != 5] == []
    assert len(lengths) > 1


def test_episodes_that_were_disturbed_are_cut_for_rollouts():
    environment = make_scripted(lengths=(7,), truncates=False)
    buffer = EpisodeBuffer.for_environment(environment, 0.9, lambda_=1.0)
    policy = Categorical(seed=0)
    callback = CollectRollout(environment, buffer, policy, steps_per_epoch=5)
    agent = ActorCritic(
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]),
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]),
    )
    agent.compile("sgd")
    data = buffer.batches()
    agent.fit(data, callbacks=[callback], verbose=0)
    by_hand(environment)
    history = agent.fit(data, epochs=2, callbacks=[callback], verbose=0)
    # Ten steps, which begin with a new episode.
    assert environment.resets == 4
    assert history.history["episode_length"][-1] == 7.0


@pytest.mark.parametrize("moment", ["on_train_batch_end", "on_epoch_end"])
def test_who_plays_during_fit_is_named(moment):
    environment = make_scripted()
    callback, data = collect(environment)

    class Look(keras.callbacks.Callback):
        pass

    setattr(Look, moment, lambda *_, **__: by_hand(environment))
    with pytest.raises(
        ValueError,
        match="`environment` must be left to CollectSteps during `fit`. Receiv"
        "ed: environment=.*Scripted.* has reset or stepped",
    ):
        fit(make_agent(), data, [callback, Look()], epochs=2)


def test_who_plays_between_rollouts_is_named():
    class CollectBetweenEpochs(Collector):
        def on_epoch_begin(self, epoch, logs=None):
            self._start()
            self._step(np.array([1]))

    environment = make_scripted()
    callback = CollectBetweenEpochs(environment, Spy())
    filled, data = collect(make_scripted())
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: by_hand(environment)
    )
    with pytest.raises(ValueError, match="must be left to CollectBetweenEpoch"):
        fit(make_agent(), data, [filled, callback, look], steps=1, epochs=2)
