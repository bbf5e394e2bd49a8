"""Every pairing of model, buffer, collector and policy, right and wrong."""

import functools
import itertools
import types

import gymnasium
import keras
import numpy as np
import pytest
from gymnasium import spaces

import keras_rlkit as rlk
from keras_rlkit.callbacks import (
    CollectEpisodes,
    CollectRollout,
    CollectSteps,
    EvaluatePolicy,
)
from keras_rlkit.policies import Categorical, EpsilonGreedy, Gaussian, Greedy


class Counted(gymnasium.Env):
    """Counts its steps; an episode has five."""

    def __init__(self, continuous=False):
        self.observation_space = spaces.Box(-9, 9, (3,), np.float32)
        self.action_space = (
            spaces.Box(-1, 1, (1,)) if continuous else spaces.Discrete(2)
        )
        self.steps = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(3, np.float32), {}

    def step(self, action):
        self.steps += 1
        shown = np.full(3, self.steps % 5, np.float32)
        return shown, 1.0, self.steps % 5 == 0, False, {}


def network(units):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])


def make_model(name):
    if name == "DoubleDQN":
        model = rlk.models.DoubleDQN(network(2))
        model.compile("adam", "huber")
    elif name == "PolicyGradientLoss":
        model = network(2)
        model.compile("adam", rlk.losses.PolicyGradientLoss())
    else:
        # Two logits, or one mean and one log-scale: both have two outputs.
        model = rlk.models.ActorCritic(
            network(2), network(1), distribution=name.split()[1]
        )
        model.compile("adam")
    return model


def make_buffer(name, environment):
    if name == "ReplayBuffer":
        # As somebody would who doesn't ask the environment.
        return rlk.replay.ReplayBuffer(100, (3,), "float32", num_actions=2)
    lambda_ = 0.9 if name == "with lambda_" else None
    return rlk.replay.EpisodeBuffer.for_environment(
        environment, 0.9, lambda_=lambda_
    )


MODELS = [
    "DoubleDQN",
    "PolicyGradientLoss",
    "ActorCritic categorical",
    "ActorCritic gaussian",
]
BUFFERS = ["ReplayBuffer", "without lambda_", "with lambda_"]
COLLECTORS = {
    CollectSteps: {"steps_per_update": 1, "warmup_steps": 10},
    CollectRollout: {"steps_per_epoch": 10},
    CollectEpisodes: {"episodes_per_epoch": 2},
}
POLICIES = {
    "Greedy": Greedy,
    "EpsilonGreedy": functools.partial(EpsilonGreedy, 0.5),
    "Categorical": Categorical,
    "Gaussian": Gaussian,
    "Gaussian means": functools.partial(Gaussian, stochastic=False),
}
# With what each model learns. The rest of the table is wrong.
RIGHT_BUFFERS = {
    "DoubleDQN": "ReplayBuffer",
    "PolicyGradientLoss": "without lambda_",
    "ActorCritic categorical": "with lambda_",
    "ActorCritic gaussian": "with lambda_",
}
DISCRETE_POLICIES = ["Greedy", "EpsilonGreedy", "Categorical"]


def is_right(model, buffer, collector, policy, continuous):
    if buffer != RIGHT_BUFFERS[model]:
        return False
    if (collector is CollectSteps) != (buffer == "ReplayBuffer"):
        return False
    if collector is CollectSteps:
        return not continuous and policy in DISCRETE_POLICIES
    if continuous:
        return model == "ActorCritic gaussian" and policy == "Gaussian"
    return model != "ActorCritic gaussian" and policy == "Categorical"


def partners_of(model, continuous):
    """What a message may name to show the way."""
    if continuous:
        return ['distribution="gaussian"', "`Gaussian"]
    return {
        "DoubleDQN": ["`ReplayBuffer`", "`EpsilonGreedy`", "`CollectSteps`"],
        "PolicyGradientLoss": ["`EpisodeBuffer`", "`Categorical"],
        "ActorCritic categorical": ["`EpisodeBuffer`", "`Categorical"],
        "ActorCritic gaussian": [
            'distribution="categorical"',
            "`EpisodeBuffer`",
            "`Categorical",
        ],
    }[model]


def begin(model, buffer, collector, policy, continuous):
    """Do what `fit` does before it collects; return the environment too."""
    environment = Counted(continuous)
    buffer = make_buffer(buffer, environment)
    try:
        callback = collector(
            environment, buffer, POLICIES[policy](), **COLLECTORS[collector]
        )
        callback.set_model(make_model(model))
        callback._start = lambda: pytest.fail("It begins to play.")
        callback.on_train_begin()
    except ValueError as error:
        return str(error), environment, buffer
    except pytest.fail.Exception:
        pass
    return None, environment, buffer


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("collector", COLLECTORS)
@pytest.mark.parametrize("model", MODELS)
def test_every_pairing(model, collector, continuous):
    for buffer, policy in itertools.product(BUFFERS, POLICIES):
        pairing = model, buffer, collector, policy, continuous
        message, environment, filled = begin(*pairing)
        if is_right(*pairing):
            assert message is None, (pairing, message)
            continue
        assert message is not None, pairing
        assert "Received: " in message
        names = [*partners_of(model, continuous), *partners_of(model, False)]
        if collector is not CollectSteps:
            # The collector sees the policy before it sees the model.
            names += ["`Categorical()`", "`Gaussian()`"]
        assert any(name in message for name in names), (pairing, message)
        assert environment.steps == len(filled) == 0


@pytest.mark.parametrize(
    "model, buffer, collector, policy",
    [
        ("DoubleDQN", "ReplayBuffer", CollectSteps, "EpsilonGreedy"),
        (
            "PolicyGradientLoss",
            "without lambda_",
            CollectEpisodes,
            "Categorical",
        ),
        (
            "ActorCritic categorical",
            "with lambda_",
            CollectRollout,
            "Categorical",
        ),
        ("ActorCritic gaussian", "with lambda_", CollectRollout, "Gaussian"),
    ],
)
def test_right_partners_train(model, buffer, collector, policy):
    environment = Counted("gaussian" in model)
    buffer = make_buffer(buffer, environment)
    collect = collector(
        environment, buffer, POLICIES[policy](), **COLLECTORS[collector]
    )
    data = buffer.batches(4) if collector is CollectSteps else buffer.batches()
    steps = 2 if collector is CollectSteps else None
    make_model(model).fit(
        data, steps_per_epoch=steps, callbacks=[collect], verbose=0
    )
    assert environment.steps >= 10


@pytest.mark.parametrize("form", ["dataset", "batches"])
@pytest.mark.parametrize("model", MODELS[:3])
def test_fit_with_the_collector_of_another_model(model, form):
    # Whatever asks first, Keras for a batch or `fit` the callback.
    if keras.backend.backend() == "jax" and form == "dataset":
        pytest.skip("`batches` is for JAX.")
    environment = Counted()
    if model == "DoubleDQN":
        buffer = make_buffer("with lambda_", environment)
        collect = CollectRollout(environment, buffer, Categorical(), 10)
        data, steps = getattr(buffer, form)(), None
    else:
        buffer = make_buffer("ReplayBuffer", environment)
        collect = CollectSteps(environment, buffer, Categorical(), 1)
        data, steps = getattr(buffer, form)(4), 2
    expected = "ReplayBuffer" if model == "DoubleDQN" else "EpisodeBuffer"
    if model == "PolicyGradientLoss" and keras.backend.backend() == "jax":
        # On JAX, Keras builds its own models before any callback exists.
        expected = "'next_observation'"
    with pytest.raises(ValueError, match=expected):
        make_model(model).fit(
            data, steps_per_epoch=steps, callbacks=[collect], verbose=0
        )
    assert environment.steps == 0


def test_what_is_no_buffer():
    for collector, arguments in COLLECTORS.items():
        for buffer in (None, [], make_buffer("ReplayBuffer", None).sample):
            with pytest.raises(
                ValueError,
                match=f"`buffer` must be one that .{collector.__name__}",
            ):
                collector(Counted(), buffer, lambda *_: 0, **arguments)


def test_parts_of_ones_own_are_accepted():
    # They tell nothing of what they belong to.
    kept = make_buffer("ReplayBuffer", None)
    buffer = types.SimpleNamespace(
        **{
            name: getattr(kept, name)
            for name in (
                "num_envs",
                "observation_shape",
                "has_priorities",
                "add",
            )
        }
    )
    collect = CollectSteps(Counted(), buffer, lambda *_: 0, steps_per_update=1)
    collect.set_model(network(2))
    collect._check_model()


@pytest.mark.parametrize("actions", [[0, 1], np.arange(2), "left, right"])
def test_policies_of_ones_own_may_have_such_names(actions):
    class Mine:
        draws = 0  # how often it has drawn

        def __init__(self):
            self.actions = actions

        def __call__(self, model, observations, step):
            return np.zeros(len(observations), int)

    for continuous in (False, True):
        EvaluatePolicy(Counted(continuous=continuous), Mine(), 1)
    buffer = make_buffer("without lambda_", Counted())
    CollectEpisodes(Counted(), buffer, Mine(), 1)


def test_evaluation_with_a_policy_of_other_actions():
    with pytest.raises(
        ValueError, match="`policy` must give discrete .*Greedy"
    ):
        EvaluatePolicy(Counted(), Gaussian(), 1)
    with pytest.raises(ValueError, match="must give continuous .*`Gaussian`"):
        EvaluatePolicy(Counted(continuous=True), Greedy(), 1)
    # What doesn't explore or draw may be evaluated.
    EvaluatePolicy(Counted(), Greedy(), 1)
    EvaluatePolicy(Counted(continuous=True), Gaussian(stochastic=False), 1)


@pytest.mark.parametrize("name", ["DoubleDQN", "ActorCritic categorical"])
def test_fit_on_a_buffer_or_an_environment(name):
    environment = Counted()
    for source, way in [
        (make_buffer("ReplayBuffer", environment), r"`dataset\(32\)`"),
        (make_buffer("with lambda_", environment), r"`dataset\(\)`"),
        (environment, r"fit\(replay.dataset\(32\)\)"),
        (rlk.environments.as_vector(environment), "ReplayBuffer.for_envir"),
        (gymnasium.vector.SyncVectorEnv([Counted]), "EpisodeBuffer.for_envir"),
    ]:
        for data in ({"x": source}, {"x": source, "steps_per_epoch": 2}):
            with pytest.raises(ValueError, match=f"`x` must be data.*{way}"):
                make_model(name).fit(**data)
    with pytest.raises(ValueError, match="`x` must be data"):
        make_model(name).fit(environment, epochs=1)


@pytest.mark.parametrize("name", ["DoubleDQN", "ActorCritic categorical"])
def test_evaluation_of_a_buffer_or_an_environment(name):
    agent, few = make_model(name), np.zeros((2, 2))
    environment = Counted()
    for source, way in [
        (make_buffer("ReplayBuffer", environment), r"`dataset\(32\)`"),
        (environment, r"fit\(replay.dataset\(32\)\)"),
    ]:
        for method in (agent.evaluate, agent.predict):
            with pytest.raises(ValueError, match=f"`x` must be data.*{way}"):
                method(source, verbose=0)
        with pytest.raises(
            ValueError, match=f"`validation_data` must be data.*{way}"
        ):
            agent.fit(few, few, validation_data=source, verbose=0)


def test_any_keras_model_fit_on_a_buffer():
    model = make_model("PolicyGradientLoss")
    for buffer, way in [
        (make_buffer("ReplayBuffer", None), "`dataset(32)`, or `batches(32)`"),
        (make_buffer("without lambda_", Counted()), "`dataset()`, or `batch"),
    ]:
        # Keras shows what it was given.
        for method in (model.fit, model.evaluate, model.predict):
            with pytest.raises(ValueError) as error:
                method(buffer, verbose=0)
            assert way in str(error.value)
