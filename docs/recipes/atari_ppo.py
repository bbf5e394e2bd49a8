"""Learn an Atari game from pixels with PPO.

What you will see: one network with two outputs, a policy and a value, plays
eight games side by side and learns from each rollout several times. Learning a
game well takes millions of steps, hours on two CPU cores, less on a GPU:

    python docs/recipes/atari_ppo.py

    --quick      a run of about a minute that shows all parts and learns little
    --steps N    agent steps to play, of 4 frames each (default 1,000,000)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/atari_ppo)
    --game NAME  the game (default pong)

DIR then holds `learning_curve.png`, `history.csv`, the game's `.keras` file,
`play.gif`, `results.json`, and TensorBoard's files in `logs/`.
"""

import argparse
import json
import pathlib
import time

import keras

import keras_rlkit as rlk

# ## What to run

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--steps", type=int)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=pathlib.Path, default="runs/atari_ppo")
parser.add_argument("--game", default="pong")
options = parser.parse_args()

# The settings of Schulman et al. 2017, table 5.
steps = options.steps or (2_048 if options.quick else 1_000_000)
num_envs, steps_per_epoch = 8, 256 if options.quick else 1024
minibatches, passes = 4, 3
epochs = max(1, steps // steps_per_epoch)
episodes = 2 if options.quick else 20
out = options.out
out.mkdir(parents=True, exist_ok=True)
print(
    f"Learning {options.game} for {steps:,} steps of 4 frames, {epochs} "
    f"epochs, seed {options.seed}: about {steps / 250 / 60 + 1:.0f} minutes on "
    f"two CPU cores, less on a GPU. Results go to {out}/."
)
keras.utils.set_random_seed(options.seed)

# ## The game
#
# Eight games in one vector environment, and a twin to evaluate in.

environment = rlk.environments.atari(
    options.game, num_envs=num_envs, seed=options.seed
)
evaluation_environment = environment.twin(num_envs=2, seed=options.seed + 1000)
num_actions = int(environment.single_action_space.n)

# ## The network
#
# The policy and the value share what they see.


def layer(kind, *arguments, scale=2**0.5, **keywords):
    """Return a layer with orthogonal weights."""
    return kind(
        *arguments,
        kernel_initializer=keras.initializers.Orthogonal(scale),
        **keywords,
    )


inputs = keras.Input(environment.single_observation_space.shape, dtype="uint8")
features = keras.layers.Rescaling(1 / 255)(inputs)
for filters, size, strides in ((32, 8, 4), (64, 4, 2), (64, 3, 1)):
    features = layer(
        keras.layers.Conv2D, filters, size, strides, activation="relu"
    )(features)
features = keras.layers.Flatten()(features)
features = layer(keras.layers.Dense, 512, activation="relu")(features)
network = keras.Model(
    inputs,
    {
        "policy": layer(keras.layers.Dense, num_actions, scale=0.01)(features),
        "value": layer(keras.layers.Dense, 1, scale=1.0)(features),
    },
)
agent = rlk.models.ActorCritic(
    network, clip=0.1, value_clip=0.1, entropy_weight=0.01
)
agent.compile(
    keras.optimizers.Adam(
        keras.optimizers.schedules.PolynomialDecay(
            2.5e-4, epochs * minibatches * passes, 0.0
        ),
        epsilon=1e-5,
        global_clipnorm=0.5,
    )
)

# ## Learning
#
# Rewards are clipped for learning; scores are not.

buffer = rlk.replay.EpisodeBuffer.for_environment(
    environment,
    discount=0.99,
    lambda_=0.95,
    standardize=True,
    seed=options.seed,
)
on_tensorflow = keras.backend.backend() == "tensorflow"
batches = (buffer.dataset if on_tensorflow else buffer.batches)(
    minibatches, passes
)
collect = rlk.callbacks.CollectRollout(
    environment,
    buffer,
    rlk.policies.Categorical(seed=options.seed),
    steps_per_epoch=steps_per_epoch,
    reward_range=(-1, 1),
    seed=options.seed,
)
evaluation = rlk.callbacks.EvaluatePolicy(
    evaluation_environment,
    rlk.policies.Categorical(seed=options.seed + 1),
    episodes=episodes,
    every_epochs=max(1, epochs // 10) if not options.quick else epochs,
    seed=options.seed + 1000,
)
start = time.time()
agent.fit(
    batches,
    epochs=epochs,
    callbacks=[
        collect,
        evaluation,
        keras.callbacks.CSVLogger(out / "history.csv"),
        keras.callbacks.TensorBoard(out / "logs"),
        keras.callbacks.ModelCheckpoint(out / f"{options.game}.keras"),
    ],
    shuffle=False,
    verbose=2,
)
wall_minutes = (time.time() - start) / 60

# ## What came of it

scores = evaluation.evaluate(agent)
results = {
    "game": options.game,
    "seed": options.seed,
    "environment_steps": collect.environment_steps,
    "wall_minutes": round(wall_minutes, 2),
    "evaluation_mean": float(scores.mean()),
    "evaluation_min": float(scores.min()),
    "episodes": len(scores),
    "backend": keras.backend.backend(),
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
agent.save(out / f"{options.game}.keras")
rlk.plots.learning_curve(
    out / "history.csv",
    x="environment_steps",
    y={
        "evaluation_return": f"evaluated, {episodes} episodes",
        "episode_return": "while learning",
    },
    title=f"{options.game}, PPO, seed {options.seed}",
    x_label="agent steps (4 frames each)",
    y_label="score of a game",
    path=out / "learning_curve.png",
)
rlk.callbacks.RecordEpisode(
    out,
    environment=rlk.environments.filmed_copy(environment, seed=options.seed),
    policy=rlk.policies.Categorical(seed=options.seed),
    max_steps=100 if options.quick else 2_000,
).record(agent, out / "play.gif")
print(
    f"Score {scores.mean():.1f} (lowest {scores.min():.0f}) over "
    f"{len(scores)} games after {collect.environment_steps:,} steps in "
    f"{wall_minutes:.1f} minutes."
)
