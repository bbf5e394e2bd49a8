"""Nests of observations, masks and actions of several parts, in `fit`."""

import gymnasium
import keras
import numpy as np
import pytest
from gymnasium import spaces

import keras_rlkit as rlk
from tests.callbacks.structured_environments import (
    Maze,
    make_inputs,
    make_network,
)

MODES = ["NextStep", "SameStep", "Disabled"]


def make_maze(mode, count=3, **arguments):
    if mode is None:
        return Maze(**arguments)
    return gymnasium.vector.SyncVectorEnv(
        [lambda: Maze(**arguments)] * count,
        autoreset_mode=gymnasium.vector.AutoresetMode(mode),
    )


def data_of(buffer, *arguments):
    if keras.backend.backend() == "tensorflow":
        return buffer.dataset(*arguments)
    return buffer.batches(*arguments)


def learn_q_values(environment, epochs=2, seed=0, callbacks=(), **arguments):
    keras.utils.set_random_seed(seed)
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment, 300, seed=seed, **arguments
    )
    agent = rlk.models.DoubleDQN(make_network())
    agent.compile("adam", "huber", steps_per_execution=2)
    history = agent.fit(
        data_of(replay, 16),
        epochs=epochs,
        steps_per_epoch=10,
        verbose=0,
        callbacks=[
            rlk.callbacks.CollectSteps(
                environment,
                replay,
                rlk.policies.EpsilonGreedy(0.5, seed=seed),
                steps_per_update=3,
                warmup_steps=40,
                seed=seed,
            ),
            *callbacks,
        ],
    )
    return agent, replay, history.history


@pytest.mark.parametrize("mode", [None, *MODES])
@pytest.mark.parametrize("mask_in", ["info", "observation"])
def test_forbidden_actions_are_never_played_and_masks_stored(mode, mask_in):
    # The environment fails on an action that is forbidden.
    environment = make_maze(mode, mask_in=mask_in)
    masks = {"action_masks": True} if mask_in == "info" else {}
    evaluation = rlk.callbacks.EvaluatePolicy(
        Maze(mask_in), rlk.policies.Greedy(), episodes=3
    )
    _, replay, history = learn_q_values(
        environment,
        callbacks=[evaluation],
        frame_stack={"image": 2},
        sampler=rlk.replay.Prioritized(),
        **masks,
    )
    assert np.isfinite(history["loss"]).all()
    # Means of lengths 7, 4 and 9.
    assert history["evaluation_return"][-1] == pytest.approx(20 / 3)
    observation, rest = replay.transitions()
    assert len(replay) > 80
    # A part of the observation tells its mask.
    told = observation["rest"][1]
    np.testing.assert_array_equal(rest["action_mask"], told)
    told = rest["next_observation"]["rest"][1]
    np.testing.assert_array_equal(rest["next_action_mask"], told)


def test_nests_are_resumed(tmp_path):
    def run(epochs):
        resume = rlk.callbacks.ResumeTraining(tmp_path / "save")
        return learn_q_values(
            Maze(), epochs, callbacks=[resume], action_masks=True
        )

    whole, _, _ = learn_q_values(Maze(), 4, action_masks=True)
    run(2)
    resumed, _, _ = run(4)
    for one, other in zip(
        whole.get_weights(), resumed.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_masks_can_be_ignored():
    class Free(Maze):
        def step(self, action):
            self.mask[:] = 1
            return super().step(action)

    environment = rlk.environments.as_vector(Free(), action_masks=False)
    _, replay, _ = learn_q_values(environment)
    assert "action_mask" not in replay.transitions()[1]


def test_a_buffer_must_store_the_masks_that_there_are():
    with pytest.raises(
        ValueError, match="`buffer` must store the masks .*`action_masks=True`"
    ):
        learn_q_values(Maze())
    with pytest.raises(
        ValueError, match="`environment` must tell masks of allowed actions"
    ):
        learn_q_values(Maze(mask_in=None), action_masks=True)


def learn_policy(environment, distribution, outputs, policy, **arguments):
    keras.utils.set_random_seed(0)
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, 0.9, lambda_=0.9, seed=0, **arguments
    )
    inputs, features = make_inputs()
    policy_network = keras.Model(inputs, outputs(features))
    value_network = keras.Model(inputs, keras.layers.Dense(1)(features))
    agent = rlk.models.ActorCritic(
        policy_network,
        value_network,
        distribution=distribution,
        clip=0.2,
        entropy_weight=0.01,
    )
    agent.compile("adam")
    history = agent.fit(
        data_of(buffer, 2, 2),
        epochs=2,
        verbose=0,
        callbacks=[
            rlk.callbacks.CollectRollout(
                environment, buffer, policy, steps_per_epoch=30, seed=0
            )
        ],
    )
    return agent, buffer, history.history


@pytest.mark.parametrize("mode", [None, *MODES])
def test_a_policy_learns_with_masks(mode):
    environment = make_maze(mode)
    agent, buffer, history = learn_policy(
        environment,
        "categorical",
        keras.layers.Dense(3),
        rlk.policies.Categorical(seed=0),
        action_masks=True,
    )
    # Ratios are of the masked policy: otherwise it would have moved far.
    assert max(history["kl"]) < 0.02
    assert max(history["entropy"]) < np.log(3) - 0.1
    observation, targets, _ = buffer.samples()
    np.testing.assert_array_equal(
        targets["action_mask"], observation["rest"][1]
    )
    output = agent.predict(observation, verbose=0)["policy"]
    masked = np.where(targets["action_mask"], output, -np.inf)
    probability = np.exp(masked) / np.exp(masked).sum(1, keepdims=True)
    assert (probability[np.arange(len(output)), targets["action"]] > 0).all()


def dense(*units):
    return lambda features: [keras.layers.Dense(n)(features) for n in units]


P = rlk.policies
MIXED = spaces.Dict(
    {
        "gear": spaces.Discrete(3, start=1),
        "bits": spaces.MultiBinary(2),
        "pair": spaces.Tuple([spaces.Box(-1, 1, (2,)), spaces.Discrete(2)]),
    }
)
SPACES = {
    "several choices": (
        spaces.MultiDiscrete([3, 4]),
        "categorical",
        dense(3, 4),
        lambda: P.Categorical(seed=0),
    ),
    "bits": (
        spaces.MultiBinary(4),
        "bernoulli",
        keras.layers.Dense(4),
        lambda: P.Bernoulli(seed=0),
    ),
    "mixed": (
        MIXED,
        {
            "gear": "categorical",
            "bits": "bernoulli",
            "pair": ("gaussian", "categorical"),
        },
        lambda features: {
            "gear": keras.layers.Dense(3)(features),
            "bits": keras.layers.Dense(2)(features),
            "pair": tuple(dense(4, 2)(features)),
        },
        lambda: P.Independent(
            {
                "gear": P.Categorical(seed=0),
                "bits": P.Bernoulli(seed=1),
                "pair": P.Independent(
                    (P.Gaussian(seed=2), P.Categorical(seed=3))
                ),
            }
        ),
    ),
}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("mode", [None, "SameStep"])
def test_actions_of_several_parts(name, mode, tmp_path):
    space, distribution, outputs, make_policy = SPACES[name]
    arguments = {"mask_in": None, "action_space": space}
    environment = make_maze(mode, **arguments)
    agent, _, history = learn_policy(
        environment, distribution, outputs, make_policy()
    )
    assert np.isfinite(history["loss"]).all() and max(history["kl"]) < 0.02
    agent.save(tmp_path / "agent.keras")
    loaded = keras.models.load_model(tmp_path / "agent.keras")
    observation = rlk.environments.as_vector(Maze(**arguments)).reset(seed=3)
    one, other = (
        keras.tree.flatten(model.predict(observation, verbose=0))
        for model in (agent, loaded)
    )
    for array, again in zip(one, other, strict=True):
        np.testing.assert_array_equal(array, again)


@pytest.mark.parametrize(
    "space, distribution, outputs, policy, message",
    [
        (
            spaces.MultiBinary(4),
            "categorical",
            keras.layers.Dense(4),
            P.Bernoulli(),
            "distribution must be over .*bernoulli",
        ),
        (
            spaces.MultiBinary(4),
            "bernoulli",
            keras.layers.Dense(3),
            P.Bernoulli(),
            "a logit for each bit of an action of the environment, 4 numbers",
        ),
        (
            spaces.MultiBinary(4),
            "bernoulli",
            keras.layers.Dense(4),
            P.Categorical(),
            "must give binary actions .* Use `Bernoulli`",
        ),
        (
            spaces.MultiDiscrete([3, 4]),
            "categorical",
            keras.layers.Dense(7),
            P.Categorical(),
            r"must give a list of logits, \[3, 4\] of them",
        ),
        (
            MIXED,
            "categorical",
            keras.layers.Dense(3),
            P.Categorical(),
            "`policy` must give .*Use `Independent`, with a policy for each",
        ),
    ],
)
def test_parts_that_do_not_fit(space, distribution, outputs, policy, message):
    environment = Maze(mask_in=None, action_space=space)
    with pytest.raises(ValueError, match=message):
        learn_policy(environment, distribution, outputs, policy)


def test_a_film_plays_what_is_allowed(tmp_path):
    class Shown(Maze):
        metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
        render_mode = "rgb_array"

        def render(self):
            return np.zeros((16, 16, 3), "uint8")

    film = rlk.callbacks.RecordEpisode(tmp_path, environment=Shown())
    assert film.record(make_network(), tmp_path / "play.gif") == 7


def test_the_traps_of_nests():
    assert rlk.environments.check(Maze(), steps=60, verbose=False) == []

    class Bright(Maze):
        def show(self):
            observation, info = super().show()
            observation["rest"] = (3, np.full(3, 7, "float32"))
            return observation, info

    (finding,) = rlk.environments.check(Bright(), steps=60, verbose=False)
    assert finding.trap == "observations outside their space"
    assert "['rest'][1] was 7.0" in finding.seen
    plan = rlk.replay.ReplayBuffer.plan_for_environment(
        Maze(), 1_000, frame_stack={"image": 2}
    )
    assert plan["memory"]["memory"] > 1_000 * 25
