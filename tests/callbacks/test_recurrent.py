"""Networks with memory in `fit`: collecting, training, evaluating, resuming."""

import gymnasium
import keras
import numpy as np
import pytest
from gymnasium import spaces

import keras_rlkit as rlk
from tests.callbacks.test_structured import data_of

layers = keras.layers
MODES = [None, "NextStep", "SameStep", "Disabled"]


class Cue(gymnasium.Env):
    """The first observation, 1 or -1, says which action is worth 1 later on.

    Later observations are 0, so that nothing but memory helps. `lengths` are
    those of the episodes, every second one of them truncated.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}
    render_mode = "rgb_array"
    observation_space = spaces.Box(-1, 1, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, lengths=(4, 7, 3)):
        self.lengths = lengths
        self.episode = -1
        self.mistakes = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode += 1
        self.time = 0
        self.cue = self.np_random.choice([-1, 1])
        return np.array([self.cue], np.float32), {}

    def step(self, action):
        self.time += 1
        over = self.time == self.lengths[self.episode % len(self.lengths)]
        truncated = self.episode % 2 == 1
        reward = float((action == 1) == (self.cue == 1))
        self.mistakes += reward == 0
        observation = np.zeros(1, np.float32)
        return (
            observation,
            reward,
            over and not truncated,
            over and truncated,
            {},
        )

    def render(self):
        return np.full((8, 8, 3), self.time, np.uint8)


class Masked(Cue):
    """Forbids the second action at every odd time."""

    def mask(self):
        return {"action_mask": np.array([1, self.time % 2 == 0], "int8")}

    def reset(self, *, seed=None, options=None):
        observation, _ = super().reset(seed=seed)
        return observation, self.mask()

    def step(self, action):
        assert self.mask()["action_mask"][action]
        return *super().step(action)[:4], self.mask()


def make_environment(mode, count=3):
    if mode is None:
        return Cue()
    return gymnasium.vector.SyncVectorEnv(
        [lambda i=i: Cue((4 + i, 7, 3)) for i in range(count)],
        autoreset_mode=gymnasium.vector.AutoresetMode(mode),
    )


def remembering():
    """Q values that tell the cue, whenever it was: its sum with zeros."""
    network = keras.Sequential(
        [
            keras.Input((None, 1)),
            layers.SimpleRNN(
                1, activation=None, use_bias=False, return_sequences=True
            ),
            layers.Dense(2, use_bias=False),
        ]
    )
    network.set_weights([np.eye(1), np.eye(1), np.array([[-1.0, 1.0]])])
    return network


def make_network(outputs):
    inputs = keras.Input((None, 1))
    features = layers.GRU(6, return_sequences=True)(inputs)
    features = layers.LSTM(4, return_sequences=True)(features)
    return keras.Model(inputs, outputs(features))


def learn_q_values(
    environment, rate=1e-2, epochs=2, callbacks=(), network=None, **arguments
):
    keras.utils.set_random_seed(0)
    agent = rlk.models.DoubleDQN(network or make_network(layers.Dense(2)))
    agent.compile(keras.optimizers.SGD(rate), "mse", steps_per_execution=2)
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment,
        200,
        seed=0,
        **{
            "sequence_length": 4,
            "burn_in": 2,
            "state_shape": agent.state_shape,
            **arguments,
        },
    )
    collect = rlk.callbacks.CollectSteps(
        environment,
        replay,
        rlk.policies.EpsilonGreedy(0.5, seed=0),
        steps_per_update=3,
        warmup_steps=40,
        seed=0,
    )
    history = agent.fit(
        data_of(replay, 16),
        epochs=epochs,
        steps_per_epoch=10,
        verbose=0,
        callbacks=[collect, *callbacks],
    )
    return agent, replay, history.history


def policy_and_value(features):
    return {
        "policy": layers.Dense(2)(features),
        "value": layers.Dense(1)(features),
    }


def learn_policy(
    environment, rate=1e-2, epochs=2, callbacks=(), network=None, **arguments
):
    keras.utils.set_random_seed(0)
    agent = rlk.models.ActorCritic(
        network or make_network(policy_and_value), clip=0.2
    )
    agent.compile(keras.optimizers.SGD(rate))
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment,
        0.9,
        lambda_=0.9,
        seed=0,
        **{
            "sequence_length": 4,
            "state_shape": agent.state_shape,
            **arguments,
        },
    )
    collect = rlk.callbacks.CollectRollout(
        environment,
        buffer,
        rlk.policies.Categorical(seed=0),
        steps_per_epoch=60,
        seed=0,
    )
    history = agent.fit(
        data_of(buffer, 3, 2),
        epochs=epochs,
        verbose=0,
        callbacks=[collect, *callbacks],
    )
    return agent, buffer, history.history


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "sampler", [rlk.replay.Uniform, rlk.replay.Prioritized]
)
def test_states_are_stored_with_what_was_seen(mode, sampler):
    environment = make_environment(mode)
    agent, replay, history = learn_q_values(
        environment, rate=0.0, sampler=sampler()
    )
    assert np.isfinite(history["loss"]).all()
    observation, rest = replay.transitions()
    trajectories = replay.trajectories()
    assert len(trajectories) > 8
    for rows in trajectories:
        # Whole episodes, save for those under way.
        assert len(rows) <= 7
        assert abs(observation[rows[0], 0]) == 1
        assert not observation[rows[1:]].any()
        for part in rest["state"]:
            assert not part[rows[0]].any()
        output = agent(observation[rows][None])
        for stored, last in zip(
            rest["next_state"], output["state"], strict=True
        ):
            np.testing.assert_allclose(stored[rows[-1]], last[0], atol=1e-6)
        for place in range(1, len(rows)):
            for state, before in zip(rest["state"], rest["next_state"]):
                np.testing.assert_array_equal(
                    state[rows[place]], before[rows[place - 1]]
                )


@pytest.mark.parametrize("mode", MODES)
def test_sequences_begin_with_their_states(mode):
    # Where nothing is learned, training sees what acting saw: the policies
    # are the same, in all sequences and at all of their steps.
    _, _, history = learn_policy(make_environment(mode), rate=0.0)
    np.testing.assert_allclose(history["kl"], 0.0, atol=1e-9)


def test_statistics_are_of_the_steps_that_were_played():
    normal = rlk.layers.RunningNormalization()
    inputs = keras.Input((None, 1))
    features = layers.TimeDistributed(normal)(inputs)
    features = layers.GRU(4, return_sequences=True)(features)
    network = keras.Model(inputs, policy_and_value(features))
    _, buffer, _ = learn_policy(
        make_environment("NextStep"), epochs=1, network=network
    )
    inputs, targets, _ = buffer.samples()
    played = inputs.observation[targets["mask"]]
    assert not targets["mask"].all()
    assert float(normal.count) == len(buffer) == len(played)
    np.testing.assert_allclose(normal.mean, played.mean(axis=0), atol=1e-6)


def test_sequences_stay_within_episodes():
    # Cues of episodes of three steps: a sequence of five sees one of them.
    _, replay, _ = learn_q_values(
        make_environment("NextStep"), sequence_length=5, burn_in=4
    )
    inputs, rest = replay.sample(len(replay))
    cues = np.abs(inputs.observation[..., 0])
    there = np.concatenate([inputs.burn_in, rest["mask"]], axis=1)
    assert (np.sum(cues * there, axis=1) <= 1).all()
    assert inputs.burn_in.any() and not inputs.burn_in.all()
    assert rest["mask"].any(axis=0).all() and not rest["mask"].all()
    # The next observations are those one step later.
    following = rest["next_observation"].observation
    goes_on = there[:, 1:] & there[:, :-1]
    np.testing.assert_array_equal(
        following[:, :-1][goes_on], inputs.observation[:, 1:][goes_on]
    )


@pytest.mark.parametrize("learn", [learn_q_values, learn_policy])
def test_masks_and_memory_together(learn):
    environment = gymnasium.vector.SyncVectorEnv([Masked] * 2)
    _, buffer, history = learn(environment, rate=0.0, action_masks=True)
    assert np.isfinite(history["loss"]).all()
    if learn is learn_policy:
        np.testing.assert_allclose(history["kl"], 0.0, atol=1e-9)
        return
    _, rest = buffer.sample(len(buffer))
    there = rest["mask"]
    assert rest["action_mask"].shape == (*there.shape, 2)
    # From one step to the next the second action is allowed, or is not.
    allowed = rest["action_mask"][..., 1]
    both = there[:, 1:] & there[:, :-1]
    assert (allowed[:, 1:] != allowed[:, :-1])[both].all()
    following = rest["next_action_mask"][..., 1]
    assert (following != allowed)[there].all()


@pytest.mark.parametrize("mode", MODES)
def test_an_evaluation_remembers_and_forgets(mode):
    environment = make_environment(mode)
    evaluation = rlk.callbacks.EvaluatePolicy(
        environment, rlk.policies.Greedy(), episodes=9, seed=0
    )
    scores = evaluation.evaluate(rlk.models.DoubleDQN(remembering()))
    assert len(scores) == 9
    # The memory of another cue would make mistakes.
    for game in getattr(environment, "envs", [environment]):
        assert game.episode > 1
        assert game.mistakes == 0


def test_a_film_remembers(tmp_path):
    film = rlk.callbacks.RecordEpisode(
        tmp_path, environment=Cue((5,)), policy=rlk.policies.Greedy()
    )
    agent = rlk.models.DoubleDQN(remembering())
    for number in range(4):
        assert film.record(agent, tmp_path / f"{number}.gif") == 5


@pytest.mark.parametrize("learn", [learn_q_values, learn_policy])
def test_memory_is_resumed(learn, tmp_path):
    def run(epochs):
        resume = rlk.callbacks.ResumeTraining(tmp_path / "save")
        return learn(
            make_environment("NextStep"), epochs=epochs, callbacks=[resume]
        )

    whole, _, _ = learn(make_environment("NextStep"), epochs=4)
    run(2)
    resumed, _, _ = run(4)
    for one, other in zip(
        whole.get_weights(), resumed.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("learn", [learn_q_values, learn_policy])
def test_a_network_with_memory_needs_a_buffer_of_sequences(learn):
    burn_in = {"burn_in": 0} if learn is learn_q_values else {}
    # Keras on JAX may look at a batch before callbacks look at the buffer.
    message = "(learns from sequences|must store the state).*sequence_length=`"
    with pytest.raises(ValueError, match=message):
        learn(Cue(), sequence_length=None, state_shape=(), **burn_in)


def test_sequences_are_for_networks_with_memory():
    network = keras.Sequential([keras.Input((1,)), layers.Dense(2)])
    message = {
        "jax": "sequences for a network that gives",
        "tensorflow": "state_shape=\\(\\)\\. Received",
    }[keras.backend.backend()]
    with pytest.raises(ValueError, match=message):
        learn_q_values(Cue(), network=network, state_shape=((4,),))


def test_a_network_that_looks_back_within_an_observation_is_no_other():
    # It begins anew with each observation, which is a sequence itself.
    environment = rlk.environments.stack_frames(Cue(), 3)
    network = keras.Sequential(
        [
            keras.Input((1, 3)),
            layers.Permute((2, 1)),
            layers.GRU(4),
            layers.Dense(2),
        ]
    )
    agent, _, history = learn_q_values(
        environment,
        network=network,
        sequence_length=None,
        burn_in=0,
        state_shape=(),
    )
    assert agent.state_shape == ()
    assert np.isfinite(history["loss"]).all()
