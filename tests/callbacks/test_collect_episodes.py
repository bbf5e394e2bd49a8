import gymnasium
import keras
import numpy as np
import pytest

import keras_rlkit as rlk
from tests.callbacks.on_policy import Look, contract_parts, data_of
from tests.callbacks.scripted_environments import Spy, make_scripted


def new_model(actions=2, loss=None):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(actions)])
    model.compile("sgd", loss=loss or rlk.losses.PolicyGradientLoss())
    return model


def new_buffer(environment, discount=0.5, **arguments):
    return rlk.replay.EpisodeBuffer.for_environment(
        environment, discount, **arguments
    )


def collect(environment, epochs, per_epoch, buffer=None, **arguments):
    if buffer is None:
        buffer = new_buffer(environment)
    look = Look(buffer)
    callback = rlk.callbacks.CollectEpisodes(
        environment, buffer, Spy(), per_epoch, **arguments
    )
    history = new_model().fit(
        data_of(buffer),
        epochs=epochs,
        callbacks=[callback, look],
        verbose=0,
        shuffle=False,
    )
    return look.epochs, history.history, callback


def shown(sample):
    """(environment, episode, step) of every observation."""
    return [tuple(int(number) for number in row) for row in sample[0]]


def test_whole_episodes_of_one_environment():
    environment = make_scripted(lengths=(2, 3, 1))
    epochs, history, callback = collect(environment, epochs=2, per_epoch=2)
    # Episodes 0, 1, then 2, 3: nothing of the first epoch in the second.
    assert shown(epochs[0]) == [(0, 0, 0), (0, 0, 1)] + [
        (0, 1, step) for step in range(3)
    ]
    assert shown(epochs[1]) == [(0, 2, 0), (0, 3, 0), (0, 3, 1)]
    # Episode 1 was cut by a time limit: it counts on with its mean reward of
    # 1 for ever, which at a discount of 0.5 is worth 2 at any step.
    np.testing.assert_allclose(epochs[0][2], [1.5, 1.0, 2.0, 2.0, 2.0])
    np.testing.assert_array_equal(epochs[0][1], np.ones(5))
    assert history["episode_return"] == [2.5, 1.5]
    assert history["episode_length"] == [2.5, 1.5]
    assert history["environment_steps"] == [5, 8]
    assert callback.environment_steps == 8
    # The policy was given the number of steps taken before.
    assert callback.policy.steps == list(range(8))


@pytest.mark.parametrize("mode", ["same_step", "next_step"])
def test_every_environment_plays_its_share(mode):
    # Environment 0 plays four episodes in the time of one of environment 1.
    # Only the first two of them count: the short ones are not over-represented.
    environment = make_scripted(2, mode, [(2,), (8,)])
    epochs, history, callback = collect(environment, epochs=2, per_epoch=3)
    for number, epoch in enumerate(epochs):
        rows = shown(epoch)
        assert sorted(
            len({r[1] for r in rows if r[0] == e}) for e in (0, 1)
        ) == [
            1,
            2,
        ]
        assert [row[2] for row in rows if row[0] == 0] == [0, 1, 0, 1]
        assert [row[2] for row in rows if row[0] == 1] == list(range(8))
        if number:
            # Whole episodes again, though environment 0 was in the middle.
            assert not set(rows) & set(shown(epochs[0]))
    # Those that don't count are not in the scores either.
    assert history["episode_return"] == [4.0, 4.0]
    assert history["episode_length"] == [4.0, 4.0]
    # All steps that were played are counted.
    assert callback.environment_steps > 2 * (2 * 2 + 8)


def test_environments_that_end_together_are_not_reset():
    environment = make_scripted(2, "same_step", [(3,), (3,)])
    collect(environment, epochs=3, per_epoch=2)
    # The first reset, and one at the end of each of three episodes.
    assert [env.unwrapped.resets for env in environment.envs] == [4, 4]


def test_reward_range_and_scale_leave_the_scores_alone():
    environment = make_scripted(lengths=(1,), reward=5.0)
    epochs, history, _ = collect(
        environment, epochs=1, per_epoch=1, reward_scale=0.1
    )
    np.testing.assert_allclose(epochs[0][2], [0.5])
    epochs, history, _ = collect(
        make_scripted(lengths=(1,), reward=5.0),
        epochs=1,
        per_epoch=1,
        reward_range=(-1, 1),
    )
    np.testing.assert_allclose(epochs[0][2], [1.0])
    assert history["episode_return"] == [5.0]


def test_values_of_a_model_are_baselines_and_bootstrap():
    environment = make_scripted(lengths=(1, 2))
    inputs = keras.Input((3,))
    value = keras.layers.Dense(1, name="value", bias_initializer="ones")
    value_output = value(inputs)
    value.kernel.assign(np.zeros((3, 1)))
    logits = keras.layers.Dense(2, name="policy")(inputs)
    agent = rlk.models.ActorCritic(
        keras.Model(inputs, {"policy": logits, "value": value_output})
    )
    agent.compile(keras.optimizers.SGD(0.0))
    buffer = new_buffer(environment, lambda_=1.0)
    look = Look(buffer)
    agent.fit(
        data_of(buffer),
        callbacks=[
            rlk.callbacks.CollectEpisodes(environment, buffer, Spy(), 2),
            look,
        ],
        verbose=0,
        shuffle=False,
    )
    _, targets, _ = look.epochs[0]
    # Value 1 everywhere. Episode 0 terminates, episode 1 is truncated.
    np.testing.assert_allclose(targets["value"], [1, 1, 1])
    np.testing.assert_allclose(targets["value_target"], [1, 1.75, 1.5])
    np.testing.assert_allclose(targets["advantage"], [0, 0.75, 0.5])


def test_fit_learns_which_action_pays():
    class TwoArms(gymnasium.Env):
        """One step: action 1 pays, action 0 does not."""

        observation_space = gymnasium.spaces.Box(0, 1, (3,), np.float32)
        action_space = gymnasium.spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            return np.ones(3, np.float32), {}

        def step(self, action):
            return np.ones(3, np.float32), float(action), True, False, {}

    environment = TwoArms()
    buffer = new_buffer(environment, standardize=True, seed=0)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, kernel_initializer="zeros")]
    )
    model.compile(
        keras.optimizers.SGD(0.5), loss=rlk.losses.PolicyGradientLoss()
    )
    collector = rlk.callbacks.CollectEpisodes(
        environment, buffer, rlk.policies.Categorical(seed=0), 16
    )
    history = model.fit(
        data_of(buffer),
        epochs=12,
        callbacks=[collector],
        verbose=0,
        shuffle=False,
    ).history
    assert history["episode_return"][0] < 0.8
    logits = model.predict(np.ones((1, 3)), verbose=0)[0]
    assert logits[1] - logits[0] > 3


def test_progress_bar_shows_the_scores():
    logs_seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            logs_seen.append(dict(logs))

    environment = make_scripted(lengths=(2,))
    buffer = new_buffer(environment)
    new_model().fit(
        data_of(buffer),
        callbacks=[
            rlk.callbacks.CollectEpisodes(environment, buffer, Spy(), 1),
            Watch(),
        ],
        verbose=0,
        shuffle=False,
    )
    assert logs_seen[0]["episode_return"] == 2.0
    assert logs_seen[0]["environment_steps"] == 2


def test_episode_longer_than_the_buffer_raises():
    environment = make_scripted(lengths=(9,))
    buffer = new_buffer(environment, capacity=5)
    with pytest.raises(ValueError, match="`capacity` must hold a whole epoch"):
        collect(environment, 1, 1, buffer=buffer)
    assert len(buffer) == 5


def test_model_that_does_not_fit_raises():
    environment = make_scripted(num_actions=3)
    buffer = new_buffer(environment)
    with pytest.raises(
        ValueError, match=r"one logit for each action .* 3 numb"
    ):
        collect(environment, 1, 1, buffer=buffer)


def test_lambda_without_a_value_raises():
    environment = make_scripted()
    buffer = new_buffer(environment, lambda_=0.9)
    model = new_model(loss="mse")
    collector = rlk.callbacks.CollectEpisodes(environment, buffer, Spy(), 1)
    collector.set_model(model)
    with pytest.raises(ValueError, match="`lambda_` needs a model with"):
        collector.on_epoch_begin(0)


def test_nan_logits_raise():
    environment = make_scripted()
    buffer = new_buffer(environment)
    model = new_model()
    model.set_weights([np.full((3, 2), np.nan), np.zeros(2)])
    collector = rlk.callbacks.CollectEpisodes(
        environment, buffer, rlk.policies.Categorical(), 1
    )
    with pytest.raises(ValueError, match="`Categorical` cannot choose"):
        model.fit(data_of(buffer), callbacks=[collector], verbose=0)


def test_bad_arguments_raise():
    environment = make_scripted()
    buffer = new_buffer(environment)
    new = rlk.callbacks.CollectEpisodes
    with pytest.raises(ValueError, match="`episodes_per_epoch` must be a pos"):
        new(environment, buffer, Spy(), 0)
    for reward_range in ((1, -1), (0, 0), (0, "a")):
        with pytest.raises(ValueError, match="`reward_range` must be two num"):
            new(environment, buffer, Spy(), 1, reward_range=reward_range)
    other = rlk.replay.EpisodeBuffer(0.9, observation_shape=(4,))
    with pytest.raises(ValueError, match="`buffer` must fit the environment"):
        new(environment, other, Spy(), 1)


CONTRACT = {
    rlk.callbacks.CollectEpisodes: {
        "make_parts": lambda folder: contract_parts(episodes_per_epoch=3),
        "bad": {
            "episodes_per_epoch": [0],
            "reward_range": [(1, 0)],
            "seed": [-1],
        },
    }
}
