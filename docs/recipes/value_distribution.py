"""How good is this state, and how sure is that? The distribution of returns.

What you will see: a Q network learns CartPole-v1 and then plays with trembling
hands, so that the pole falls now and then. A network that ends in a
distribution head learns from replay, with plain `fit`, how the returns of these
games are distributed, and is held against games that it has never seen. One or
two minutes on two CPU cores:

    KERAS_BACKEND=tensorflow python docs/recipes/value_distribution.py

    --quick      a run of half a minute that shows all parts and learns less
    --steps N    environment steps to play in each of three parts: learning,
                 the games to learn returns from, and fresh games (default
                 30,000)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/value_distribution)

DIR then holds `value_distribution.png`, `results.json`, `history_normal.csv`,
`history_mixture.csv` and the model, `value_distribution.keras`.
"""

import argparse
import itertools
import json
import pathlib
import time

import gymnasium
import keras
import numpy as np
from matplotlib import pyplot as plt

import keras_rlkit as rlk

# ## What to run

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--steps", type=int)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument(
    "--out", type=pathlib.Path, default="runs/value_distribution"
)
options = parser.parse_args()
if keras.backend.backend() != "tensorflow":
    raise SystemExit(
        "TensorFlow is needed for distribution heads: set "
        "KERAS_BACKEND=tensorflow."
    )

steps = options.steps or (6_000 if options.quick else 30_000)
out = options.out
out.mkdir(parents=True, exist_ok=True)
print(
    f"Three times {steps:,} steps of CartPole-v1, seed {options.seed}: about "
    f"{0.3 + steps / 25_000:.1f} minutes on two CPU cores. Results go to "
    f"{out}/."
)
keras.utils.set_random_seed(options.seed)
start = time.time()

# ## A Q network
#
# The parts of `cartpole_dqn.py`, for a player that need not be perfect.

discount = 0.97
trembling = 0.3


def make_environment(num_envs=8):
    # No time limit: a game is watched for as long as it goes well.
    environment = gymnasium.make_vec(
        "CartPole-v1", num_envs=num_envs, max_episode_steps=1_000_000
    )
    return rlk.environments.as_vector(environment)


environment = make_environment()
agent = rlk.models.DoubleDQN(
    keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(64, activation="relu"),
            rlk.layers.DuelingHead(2, units=64),
        ]
    )
)
agent.compile(
    optimizer=keras.optimizers.Adam(1e-3),
    loss=keras.losses.Huber(),
    steps_per_execution=8,
)
replay = rlk.replay.ReplayBuffer.for_environment(
    environment, capacity=steps, discount=discount, seed=options.seed
)
agent.fit(
    replay.dataset(batch_size=64),
    epochs=1,
    steps_per_epoch=max(1, steps // 4 // 8) * 8,
    callbacks=[
        rlk.callbacks.CollectSteps(
            environment,
            replay,
            rlk.policies.EpsilonGreedy(trembling, seed=options.seed),
            steps_per_update=4,
            warmup_steps=500,
            seed=options.seed,
        )
    ],
    shuffle=False,
    verbose=0,
)

# ## Games, and what came of each of their steps
#
# A replay buffer joins n steps: `reward` is their discounted sum. With n so
# large that the rest counts for nothing (0.97 ** 200 = 0.002), that is the
# return itself, of each step of each game. (What the buffer does not know yet
# when playing ends, the last steps of games that go on, it leaves out.)


def play(environment, seed):
    policy = rlk.policies.EpsilonGreedy(trembling, seed=seed)
    observation = environment.reset(seed=seed)
    for number in itertools.count():
        action = policy(agent, observation, number)
        step = environment.step(action)
        yield observation, action, step
        observation = step.observation


def remember(seed):
    environment = make_environment()
    memory = rlk.replay.ReplayBuffer.for_environment(
        environment, capacity=steps, n_step=200, discount=discount, seed=seed
    )
    rounds = steps // environment.num_envs
    for observation, action, step in itertools.islice(
        play(environment, seed), rounds
    ):
        memory.add(
            observation,
            action,
            step.reward,
            step.terminated,
            step.truncated,
            step.next_observation,
            step.valid,
        )
    return memory


seen = remember(seed=options.seed + 1_000)
fresh = remember(seed=options.seed + 2_000)


def to_regression(observation, rest):
    # As a share of the largest return there is.
    share = (1 - discount) * rest["reward"][..., None]
    return (observation, rest["action"]), share


# ## Two networks that predict a distribution
#
# They see a state and an action, and differ in their last layer alone: one
# normal distribution, or a mixture of five.


def value_model(head):
    observation = keras.Input((4,), name="observation")
    action = keras.Input((), dtype="int32", name="action")
    features = keras.layers.Concatenate()(
        [observation, keras.ops.one_hot(action, 2)]
    )
    for _ in range(2):
        features = keras.layers.Dense(64, activation="relu")(features)
    return keras.Model([observation, action], head(features))


heads = {
    "normal": rlk.layers.NormalHead(),
    "mixture": rlk.layers.MixtureNormalHead(1, 5),
}
fresh_x, fresh_y = to_regression(*fresh.sample(len(fresh) // 2))
epochs = 10
updates = steps // 8
models, scores = {}, {}
for name, head in heads.items():
    models[name] = model = value_model(head)
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(3e-3, updates)
        ),
        loss=rlk.losses.NegativeLogLikelihood(),
        metrics=[
            rlk.metrics.IntervalCoverage(0.9),
            rlk.metrics.QuantileCalibrationError(),
            rlk.metrics.ContinuousRankedProbabilityScore(),
        ],
        steps_per_execution=8,
    )
    model.fit(
        seen.dataset(batch_size=256).map(to_regression),
        epochs=epochs,
        steps_per_epoch=max(1, updates // epochs // 8) * 8,
        callbacks=[keras.callbacks.CSVLogger(out / f"history_{name}.csv")],
        shuffle=False,
        verbose=0,
    )
    scores[name] = model.evaluate(
        fresh_x, fresh_y, batch_size=1_024, verbose=0, return_dict=True
    )

# A forecast that knows all returns but doesn't look at the state.
some = fresh_y[:2_000, 0]
scores["without the state"] = {
    "crps": float(np.abs(some[:, None] - some).mean() / 2)
}
for name, score in scores.items():
    numbers = ", ".join(f"{key} {value:.3f}" for key, value in score.items())
    print(f"{name}, on fresh games: {numbers}")

# The Q network itself knows means alone.
values = agent(fresh_x[0]).numpy()
means = {
    "returns of fresh games": fresh_y.mean(),
    "mean of the mixture": models["mixture"].predict(fresh_x, verbose=0).mean(),
    "Q network": (1 - discount) * values[range(len(values)), fresh_x[1]].mean(),
}
print({name: f"{mean:.2f}" for name, mean in means.items()})

# ## One game in pictures
#
# Each step that the pole stays up counts 1, so that with k steps to go the
# share of the largest return is 1 - discount ** k. What is drawn are the last
# steps of a game, up to the fall.

game = []
for observation, action, step in play(
    make_environment(num_envs=1), seed=options.seed + 3_000
):
    game.append((observation[0], action[0]))
    if step.terminated[0]:
        break
game = game[-150:]
observations, actions = (np.array(column) for column in zip(*game))
prediction = models["mixture"]([observations, actions])
time_step = np.arange(len(game))
share = 1 - discount ** (len(game) - time_step)

figure, (over_time, densities, reliability) = plt.subplots(
    1, 3, figsize=(15, 4.6), layout="constrained"
)
rlk.plots.prediction_band(
    time_step,
    prediction,
    observations=(time_step, share),
    levels=(0.5, 0.9),
    axes=over_time,
)
over_time.set(
    title="the end of a fresh game",
    xlabel="environment step",
    ylabel="return, share of the largest",
    ylim=(-0.05, 1.05),
)
grid = np.linspace(0, 1.05, 400)
for number in (0, len(game) // 2, len(game) - 3):
    densities.plot(
        grid, prediction[number].prob(grid[:, None]), label=f"step {number}"
    )
densities.set(
    title="predicted densities in this game",
    xlabel="return, share of the largest",
    yscale="log",
    ylim=(0.01, 100),
)
densities.legend(frameon=False)
for name, model in models.items():
    rlk.plots.reliability_diagram(
        fresh_y, model(fresh_x), label=name, axes=reliability
    )
reliability.set_title("all fresh games")
figure.savefig(out / "value_distribution.png", dpi=120)
plt.close(figure)

# ## What came of it

models["mixture"].save(out / "value_distribution.keras")
loaded = keras.models.load_model(
    out / "value_distribution.keras", safe_mode=True
)
np.testing.assert_array_equal(
    loaded(fresh_x).mean(), models["mixture"](fresh_x).mean()
)
wall_minutes = (time.time() - start) / 60
results = {
    "seed": options.seed,
    "environment_steps": 3 * steps,
    "wall_minutes": round(wall_minutes, 2),
    "fresh_games": scores,
    "means": {name: float(mean) for name, mean in means.items()},
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
coverage = scores["mixture"]["interval_coverage"]
print(
    f"The mixture's 90 % interval holds {coverage:.1%} of the returns of fresh "
    f"games, after {wall_minutes:.1f} minutes."
)
