"""Learn Atari Space Invaders from pixels with `compile` and `fit`.

What you will see: a network that knows nothing but the screen learns to play
Space Invaders. It is a dueling double Q network (Wang et al. 2016, van Hasselt
et al. 2016) as in the tutorial "Atari Space Invaders and Dueling Q RL in
TensorFlow 2" of Adventures in Machine Learning, with that tutorial's defects
cured. Twenty to forty minutes on two CPU cores:

    python docs/recipes/space_invaders.py

    --quick      a run of about a minute that shows all parts and learns little
    --steps N    agent steps to play, of 4 frames each (default 300,000)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/space_invaders)
    --tutorial   the tutorial's own settings instead of ours
    --game NAME  another game, as `breakout` or `ms_pacman`
    --prioritized   draw transitions by their TD errors instead of uniformly

DIR then holds `learning_curve.png`, `history.csv`, `space_invaders.keras`,
`play.gif`, `results.json`, and TensorBoard's files in `logs/`.
"""

import argparse
import json
import pathlib
import time

import keras
import numpy as np

import keras_rlkit as rlk

# ## What to run

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--steps", type=int)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=pathlib.Path, default="runs/space_invaders")
parser.add_argument("--tutorial", action="store_true")
parser.add_argument("--game", default="space_invaders")
parser.add_argument("--prioritized", action="store_true")
options = parser.parse_args()

# Ours differ from the tutorial's where the field has learned since: frames are
# skipped, eight games run side by side, rewards are clipped for learning and
# bootstrapped over three steps, and there is a gradient step for every fourth
# environment step instead of every one.
settings = {
    "image_size": (84, 84),
    "frame_stack": 4,
    "frame_skip": 4,
    "num_envs": 8,
    "n_step": 3,
    "learning_rate": 2.5e-4,
    "target_update_rate": 0.005,
    "steps_per_update": 4,
    "capacity": 200_000,
    "warmup_steps": 10_000,
    "final_epsilon": 0.05,
    "epsilon_steps": 100_000,
    "reward_range": (-1, 1),
    "terminal_on_life_loss": True,
    "steps": 300_000,
}
if options.tutorial:
    settings |= {
        "image_size": (105, 80),
        "frame_skip": 1,
        "num_envs": 1,
        "n_step": 1,
        "learning_rate": 1e-3,
        "target_update_rate": 0.08,
        "steps_per_update": 1,
        "warmup_steps": 50_000,
        "final_epsilon": 0.1,
        "epsilon_steps": 500_000,
        "reward_range": None,
        "terminal_on_life_loss": False,
        "steps": 1_000_000,
    }
if options.quick:
    settings |= {"capacity": 10_000, "warmup_steps": 1_000, "steps": 3_000}
if options.steps:
    settings["steps"] = options.steps
# Gradient steps of an epoch, in whole executions of eight.
epochs = 4 if options.quick else max(1, settings["steps"] // 10_000)
learning_steps = max(settings["steps"] - settings["warmup_steps"], 1)
updates = -(-learning_steps // settings["steps_per_update"] // epochs // 8) * 8
episodes = 2 if options.quick else 30

out = options.out
out.mkdir(parents=True, exist_ok=True)
minutes = epochs * updates * 16e-3 / 60
print(
    f"Learning {options.game} for {settings['steps']:,} steps of "
    f"{settings['frame_skip']} frames, {epochs} epochs, seed {options.seed}: "
    f"about {minutes + 1:.0f} minutes on two CPU cores, less on a GPU. "
    f"Results go to {out}/."
)
keras.utils.set_random_seed(options.seed)

# ## The game
#
# Eight games in one vector environment: grey, resized, the maximum of the last
# two of every four frames (bullets blink), the last four of those stacked. The
# twin evaluates without disturbing the games that are learned from.

environment = rlk.environments.atari(
    options.game,
    num_envs=settings["num_envs"],
    image_size=settings["image_size"],
    frame_stack=settings["frame_stack"],
    frame_skip=settings["frame_skip"],
    seed=options.seed,
)
evaluation_environment = environment.twin(
    num_envs=min(10, episodes), seed=options.seed + 1000
)
num_actions = environment.single_action_space.n

# ## The network
#
# Any Keras model does that ends in one value per action. `DuelingHead` splits
# the value of the state from the advantages of the actions.

network = keras.Sequential(
    [
        keras.Input(environment.single_observation_space.shape, dtype="uint8"),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(16, 8, strides=4, activation="relu"),
        keras.layers.Conv2D(32, 4, strides=2, activation="relu"),
        keras.layers.Flatten(),
        rlk.layers.DuelingHead(num_actions, units=256),
    ]
)
agent = rlk.models.DoubleDQN(
    network, target_update_rate=settings["target_update_rate"]
)
agent.compile(
    optimizer=keras.optimizers.Adam(settings["learning_rate"]),
    loss=keras.losses.Huber(),
    steps_per_execution=8,
)

# ## The memory
#
# Every frame once, one byte a pixel, allocated now: if it does not fit, you
# know it before the first step. Transitions are drawn uniformly or, on request,
# by how much there is to learn from them (Schaul et al. 2016).

sampler = rlk.replay.Uniform()
if options.prioritized:
    beta = keras.optimizers.schedules.PolynomialDecay(
        0.4, epochs * updates, 1.0
    )
    sampler = rlk.replay.Prioritized(beta=beta)
replay = rlk.replay.ReplayBuffer.for_environment(
    environment,
    capacity=settings["capacity"],
    frame_stack=settings["frame_stack"],
    n_step=settings["n_step"],
    discount=0.99,
    sampler=sampler,
    seed=options.seed,
)
print(f"Replay memory: {replay.nbytes / 2**30:.2f} GiB.")
on_tensorflow = keras.backend.backend() == "tensorflow"
batches = (replay.dataset if on_tensorflow else replay.batches)(batch_size=32)

# ## What a random player reaches
#
# Whole games with all lives and their true score: the number to beat.

epsilon = keras.optimizers.schedules.PolynomialDecay(
    1.0, settings["epsilon_steps"], settings["final_epsilon"]
)


def evaluate(epsilon: float, seed: int) -> np.ndarray:
    """Return the scores of whole games."""
    return rlk.callbacks.EvaluatePolicy(
        evaluation_environment,
        rlk.policies.EpsilonGreedy(epsilon, seed=seed),
        episodes=episodes,
        seed=seed,
    ).evaluate(agent)


random_scores = evaluate(epsilon=1.0, seed=options.seed + 2000)
print(
    f"A random player reaches {random_scores.mean():.0f} "
    f"+- {random_scores.std():.0f} over {episodes} games."
)

# ## Learning
#
# `fit` takes gradient steps; the callbacks play between them.

collect = rlk.callbacks.CollectSteps(
    environment,
    replay,
    rlk.policies.EpsilonGreedy(epsilon, seed=options.seed + 1),
    steps_per_update=settings["steps_per_update"],
    warmup_steps=settings["warmup_steps"],
    reward_range=settings["reward_range"],
    terminal_on_life_loss=settings["terminal_on_life_loss"],
    seed=options.seed,
)
start = time.time()
history = agent.fit(
    batches,
    epochs=epochs,
    steps_per_epoch=updates,
    callbacks=[
        collect,
        rlk.callbacks.EvaluatePolicy(
            evaluation_environment,
            rlk.policies.EpsilonGreedy(0.05, seed=options.seed + 2),
            episodes=2 if options.quick else 10,
            every_epochs=epochs // 2 if options.quick else max(1, epochs // 10),
        ),
        rlk.callbacks.RecordEpisode(
            out / "videos",
            every_epochs=max(1, epochs // 2),
            max_steps=100 if options.quick else 5_000,
        ),
        keras.callbacks.CSVLogger(out / "history.csv"),
        keras.callbacks.TensorBoard(out / "logs"),
        keras.callbacks.ModelCheckpoint(out / f"{options.game}.keras"),
    ],
    shuffle=False,
    verbose=2,
)
wall_minutes = (time.time() - start) / 60

# ## What came of it

scores = evaluate(epsilon=0.05, seed=options.seed + 3000)
results = {
    "game": options.game,
    "seed": options.seed,
    "agent_steps": collect.environment_steps,
    "wall_minutes": round(wall_minutes, 1),
    "random_mean": float(random_scores.mean()),
    "random_std": float(random_scores.std()),
    "trained_mean": float(scores.mean()),
    "trained_std": float(scores.std()),
    "episodes": episodes,
    "times_random": round(float(scores.mean() / random_scores.mean()), 2),
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
agent.save(out / f"{options.game}.keras")
rlk.plots.learning_curve(
    out / "history.csv",
    x="environment_steps",
    y={
        "evaluation_return": "evaluated, epsilon 0.05",
        "episode_return": "while learning",
    },
    references={"random player": results["random_mean"]},
    title=f"{options.game}, seed {options.seed}",
    x_label="agent steps (4 frames each)",
    y_label="score of a game",
    path=out / "learning_curve.png",
)
rlk.callbacks.RecordEpisode(
    out,
    environment=rlk.environments.filmed_copy(environment, seed=options.seed),
    policy=rlk.policies.EpsilonGreedy(0.05, seed=options.seed),
).record(agent, out / "play.gif")
print(
    f"Random {results['random_mean']:.0f} +- {results['random_std']:.0f}, "
    f"trained {results['trained_mean']:.0f} +- {results['trained_std']:.0f} "
    f"({results['times_random']} times random) over {episodes} games, after "
    f"{results['agent_steps']:,} steps in {wall_minutes:.1f} minutes."
)
