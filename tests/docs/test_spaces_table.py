"""Each yes and no of the table of spaces, tried."""

import pathlib

import gymnasium
import keras
import numpy as np
import pytest
from gymnasium import spaces

import keras_rlkit as rlk

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "spaces.md"
BOX = spaces.Box(-1, 1, (2,))
BITS, CHOICES = spaces.MultiBinary(2), spaces.MultiDiscrete([2, 3])
THREE = spaces.Discrete(3)
OBSERVATIONS = {
    "`Box`, `Discrete`, `MultiBinary`, `MultiDiscrete`": [
        BOX,
        spaces.Discrete(3),
        BITS,
        CHOICES,
    ],
    "`Dict`, `Tuple`, nests of these": [
        spaces.Dict({"a": BOX, "b": spaces.Tuple([BITS, spaces.Discrete(3)])}),
        spaces.Tuple([BOX, CHOICES]),
    ],
    "`Text`, `Graph`, `Sequence`": [
        spaces.Text(3),
        spaces.Dict({"a": BOX, "b": spaces.Sequence(BOX)}),
    ],
}
ACTIONS = {
    "`Discrete`": [spaces.Discrete(3), spaces.Discrete(2, start=4)],
    "`Box` of one axis": [BOX],
    "`MultiDiscrete`, `MultiBinary` of one axis": [CHOICES, BITS],
    "`Dict`, `Tuple` of these": [
        spaces.Dict({"a": BOX, "b": spaces.Discrete(3)}),
        spaces.Tuple([BITS, CHOICES]),
    ],
}
MASKS = "masks of allowed actions"
MODES = "one, or a vector in any autoreset mode"
MODELS = "functional, `Sequential`, subclassed, own layers, `Lambda`"
MEMORY = "recurrent layers that remember the episode"
STACKS = "stacks of frames stored once"


class Any(gymnasium.Env):
    """Random observations of any space, for actions of any space."""

    def __init__(
        self, observations=BOX, actions=spaces.Discrete(3), mask=False
    ):
        self.observation_space, self.action_space = observations, actions
        self.info = {"action_mask": np.ones(3, "int8")} if mask else {}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.observation_space.sample(), self.info

    def step(self, action):
        assert self.action_space.contains(action)
        self.steps += 1
        over = self.steps == 4
        return self.observation_space.sample(), 1.0, over, False, self.info


def dense(units, features):
    return keras.layers.Dense(units)(features)


def make_features(space):
    """Return inputs for observations of a space, and features of them."""

    def make(part):
        if isinstance(part, spaces.Dict):
            return {key: make(inside) for key, inside in part.spaces.items()}
        if isinstance(part, spaces.Tuple):
            return tuple(map(make, part.spaces))
        return keras.Input(part.shape, dtype=part.dtype.name)

    inputs = make(space)
    flat = [
        keras.layers.Reshape((-1,))(keras.ops.cast(tensor, "float32"))
        for tensor in keras.tree.flatten(inputs)
    ]
    features = flat[0] if len(flat) == 1 else keras.ops.concatenate(flat, -1)
    return inputs, features


def head(space, features):
    """Return distribution, outputs and policy for actions of a space."""
    policies = rlk.policies
    if isinstance(space, spaces.Dict):
        parts = {k: head(part, features) for k, part in space.spaces.items()}
        columns = [{k: v[n] for k, v in parts.items()} for n in range(3)]
        return columns[0], columns[1], policies.Independent(columns[2])
    if isinstance(space, spaces.Tuple):
        columns = zip(*[head(part, features) for part in space.spaces])
        distribution, outputs, chosen = map(tuple, columns)
        return distribution, outputs, policies.Independent(chosen)
    if isinstance(space, spaces.Box):
        return "gaussian", dense(4, features), policies.Gaussian()
    if isinstance(space, spaces.MultiBinary):
        return "bernoulli", dense(2, features), policies.Bernoulli()
    if isinstance(space, spaces.MultiDiscrete):
        outputs = [dense(int(n), features) for n in space.nvec]
        return "categorical", outputs, policies.Categorical()
    return "categorical", dense(int(space.n), features), policies.Categorical()


def data(buffer, *arguments):
    on_tensorflow = keras.backend.backend() == "tensorflow"
    return (buffer.dataset if on_tensorflow else buffer.batches)(*arguments)


def spaces_of(environment):
    adapter = rlk.environments.as_vector(environment)
    return adapter.observation_space, adapter.action_space


def q_learning(environment, masks):
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment, 50, action_masks=masks
    )
    observations, actions = spaces_of(environment)
    inputs, features = make_features(observations)
    agent = rlk.models.DoubleDQN(
        keras.Model(inputs, dense(int(actions.n), features))
    )
    agent.compile("sgd", "mse")
    collect = rlk.callbacks.CollectSteps(
        environment, replay, rlk.policies.EpsilonGreedy(0.5), 4, warmup_steps=8
    )
    agent.fit(
        data(replay, 4), steps_per_epoch=2, callbacks=[collect], verbose=0
    )


def actor_critic(environment, masks):
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, 0.9, lambda_=0.9, action_masks=masks
    )
    observations, actions = spaces_of(environment)
    inputs, features = make_features(observations)
    distribution, outputs, policy = head(actions, features)
    agent = rlk.models.ActorCritic(
        keras.Model(inputs, outputs),
        keras.Model(inputs, dense(1, features)),
        distribution=distribution,
    )
    agent.compile("sgd")
    collect = rlk.callbacks.CollectRollout(environment, buffer, policy, 12)
    agent.fit(data(buffer), callbacks=[collect], verbose=0)


def reinforce(environment, masks):
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, 0.9, action_masks=masks
    )
    observations, actions = spaces_of(environment)
    inputs, features = make_features(observations)
    _, outputs, policy = head(actions, features)
    model = keras.Model(inputs, outputs)
    model.compile("sgd", rlk.losses.PolicyGradientLoss())
    collect = rlk.callbacks.CollectRollout(environment, buffer, policy, 12)
    model.fit(data(buffer), callbacks=[collect], verbose=0)


COLUMNS = [q_learning, actor_critic, reinforce]
SEQUENCES = {"sequence_length": 3, "state_shape": ((4,),)}


def remembering(*outputs):
    inputs = keras.Input((None, 2))
    features = keras.layers.GRU(4, return_sequences=True)(inputs)
    return keras.Model(inputs, [dense(units, features) for units in outputs])


def q_learning_with_memory():
    agent = rlk.models.DoubleDQN(remembering(3))
    agent.compile("sgd", "mse")
    replay = rlk.replay.ReplayBuffer.for_environment(Any(), 50, **SEQUENCES)
    collect = rlk.callbacks.CollectSteps(
        Any(), replay, rlk.policies.EpsilonGreedy(0.5), 4, warmup_steps=8
    )
    agent.fit(
        data(replay, 4), steps_per_epoch=2, callbacks=[collect], verbose=0
    )


def actor_critic_with_memory():
    agent = rlk.models.ActorCritic(remembering(3, 1))
    agent.compile("sgd")
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        Any(), 0.9, lambda_=0.9, **SEQUENCES
    )
    collect = rlk.callbacks.CollectRollout(
        Any(), buffer, rlk.policies.Categorical(), 12
    )
    agent.fit(data(buffer), callbacks=[collect], verbose=0)


def reinforce_with_memory():
    rlk.replay.EpisodeBuffer.for_environment(Any(), 0.9, **SEQUENCES)


WITH_MEMORY = [
    q_learning_with_memory,
    actor_critic_with_memory,
    reinforce_with_memory,
]


class Subclassed(keras.Model):
    """Of a layer of its own and a `Lambda`, neither of them registered."""

    def __init__(self, units):
        super().__init__()

        class Own(keras.layers.Layer):
            def call(self, inputs):
                return 2 * inputs

        self.parts = [
            Own(),
            keras.layers.Lambda(lambda inputs: inputs + 1),
            keras.layers.Dense(units),
        ]

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


def subclassed(units, features):
    network = Subclassed(units)
    network(np.zeros((1, 2), "float32"))
    return network(features)


def read_table():
    """Return the cells of the table by the first cell of their row."""
    text = PAGE.read_text().split("## Several arrays in")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in rows[2:]}


TABLE = read_table()


def works(column, *arguments):
    try:
        column(*arguments)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("column", range(3))
def test_memory(column):
    says = TABLE[MEMORY][column].split(":")[0]
    assert says in ("yes", "no")
    assert works(WITH_MEMORY[column]) == (says == "yes")


@pytest.mark.parametrize("column", range(3))
def test_any_network(column, monkeypatch):
    assert TABLE[MODELS][column] == "yes"
    COLUMNS[column](Any(), False)
    monkeypatch.setitem(globals(), "dense", subclassed)
    COLUMNS[column](Any(), False)


@pytest.mark.parametrize("column", range(3))
@pytest.mark.parametrize("row", [*OBSERVATIONS, *ACTIONS, MASKS, MODES])
def test_the_table_says_what_happens(row, column):
    says = TABLE[row][column].split(":")[0]
    assert says in ("yes", "no")
    if row == MASKS:
        tried = [(Any(mask=True), True)]
    elif row == MODES:
        tried = [(Any(), False)]
        for mode in gymnasium.vector.AutoresetMode:
            several = gymnasium.vector.SyncVectorEnv(
                [Any] * 2, autoreset_mode=mode
            )
            tried.append((several, False))
    elif row in OBSERVATIONS:
        tried = [
            (Any(observations=space), False) for space in OBSERVATIONS[row]
        ]
    else:
        tried = [(Any(actions=space), False) for space in ACTIONS[row]]
    for environment, masks in tried:
        assert works(COLUMNS[column], environment, masks) == (says == "yes")


def test_every_row_is_tried():
    tried = {*OBSERVATIONS, *ACTIONS, MASKS, MODES, MODELS, MEMORY}
    rest = set(TABLE) - tried
    headings = {row for row in rest if row.startswith("**")}
    assert rest - headings == {STACKS, "TensorFlow", "JAX"}
    assert TABLE["TensorFlow"] == ["`dataset`"] * 3
    assert TABLE["JAX"] == ["`batches`"] * 3
    assert TABLE[STACKS][0] == "yes"
