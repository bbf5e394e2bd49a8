"""Find the goal with what is seen and where one looks: several inputs.

What you will see: observations of MiniGrid are dictionaries: an image of what
lies ahead, and the direction of the compass. Both go as they are into a Keras
model with inputs of these names. After 30,000 steps the agent walks straight to
the goal of MiniGrid-Empty-8x8. Needs `pip install minigrid`.

    python docs/recipes/image_and_vector.py

    --quick      a run of half a minute that shows all parts and learns less
    --steps N    environment steps to play (default 30,000)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/image_and_vector)

DIR then holds `learning_curve.png`, `history.csv`, `minigrid.keras`,
`play.gif` and `results.json`.
"""

import argparse
import json
import pathlib
import time

import gymnasium
import keras
import minigrid  # noqa: F401 registers the environments

import keras_rlkit as rlk

# ## What to run

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--steps", type=int)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=pathlib.Path, default="runs/image_and_vector")
options = parser.parse_args()

steps = options.steps or (10_000 if options.quick else 30_000)
num_envs, epochs, warmup_steps = 8, 10, 2_000
steps_per_update = 4
updates = max(1, (steps - warmup_steps) // steps_per_update // epochs // 8) * 8
out = options.out
out.mkdir(parents=True, exist_ok=True)
print(
    f"Learning MiniGrid-Empty-8x8 for {steps:,} steps, {epochs} epochs, seed "
    f"{options.seed}: about {steps / 500 / 60 + 0.5:.0f} minutes on two CPU "
    f"cores. Results go to {out}/."
)
keras.utils.set_random_seed(options.seed)

# ## Environments
#
# The third part of MiniGrid's observations is a sentence, always the same here:
# it is left out. What remains is `{"direction": 0 to 3, "image": 7 x 7 x 3}`.


def make(render_mode: str | None = None) -> gymnasium.Env:
    """Make one environment without the sentence."""
    environment = gymnasium.make(
        "MiniGrid-Empty-8x8-v0", render_mode=render_mode
    )
    return gymnasium.wrappers.FilterObservation(
        environment, ["image", "direction"]
    )


environment = gymnasium.vector.SyncVectorEnv([make] * num_envs)
evaluation_environment = gymnasium.vector.SyncVectorEnv([make] * 10)

# ## The network
#
# One input for each key. A direction is a number without a size: `Embedding`
# takes it as an integer.

image = keras.Input((7, 7, 3), dtype="uint8", name="image")
direction = keras.Input((), dtype="int32", name="direction")
seen = keras.layers.Rescaling(0.1)(image)
seen = keras.layers.Conv2D(16, 3, activation="relu")(seen)
seen = keras.layers.Flatten()(seen)
looking = keras.layers.Embedding(4, 8)(direction)
features = keras.layers.Dense(128, activation="relu")(
    keras.layers.Concatenate()([seen, looking])
)
network = keras.Model(
    {"image": image, "direction": direction},
    rlk.layers.DuelingHead(environment.single_action_space.n)(features),
)

# ## Learning
#
# Everything else is as with arrays. The reward comes at the goal alone, so
# transitions are bootstrapped over several steps.

agent = rlk.models.DoubleDQN(network, target_update_rate=0.01)
agent.compile(
    optimizer=keras.optimizers.Adam(
        keras.optimizers.schedules.PolynomialDecay(1e-3, epochs * updates, 0.0)
    ),
    loss=keras.losses.Huber(),
    steps_per_execution=8,
)
replay = rlk.replay.ReplayBuffer.for_environment(
    environment, capacity=30_000, n_step=5, discount=0.97, seed=options.seed
)
on_tensorflow = keras.backend.backend() == "tensorflow"
batches = (replay.dataset if on_tensorflow else replay.batches)(batch_size=128)
collect = rlk.callbacks.CollectSteps(
    environment,
    replay,
    rlk.policies.EpsilonGreedy(
        keras.optimizers.schedules.PolynomialDecay(1.0, steps // 2, 0.05),
        seed=options.seed + 1,
    ),
    steps_per_update=steps_per_update,
    warmup_steps=warmup_steps,
    seed=options.seed,
)
evaluation = rlk.callbacks.EvaluatePolicy(
    evaluation_environment,
    rlk.policies.EpsilonGreedy(0.01, seed=options.seed + 2),
    episodes=20,
    seed=options.seed + 1000,
)
start = time.time()
agent.fit(
    batches,
    epochs=epochs,
    steps_per_epoch=updates,
    callbacks=[
        collect,
        evaluation,
        keras.callbacks.CSVLogger(out / "history.csv"),
    ],
    verbose=2,
)
wall_minutes = (time.time() - start) / 60

# ## What came of it

scores = evaluation.evaluate(agent)
results = {
    "seed": options.seed,
    "environment_steps": collect.environment_steps,
    "wall_minutes": round(wall_minutes, 2),
    "evaluation_mean": float(scores.mean()),
    "evaluation_min": float(scores.min()),
    "episodes": len(scores),
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
agent.save(out / "minigrid.keras")
rlk.plots.learning_curve(
    out / "history.csv",
    x="environment_steps",
    y={
        "evaluation_return": "evaluation, 20 episodes",
        "episode_return": "while learning",
    },
    title=f"MiniGrid-Empty-8x8, seed {options.seed}",
    x_label="environment steps",
    y_label="return of an episode",
    path=out / "learning_curve.png",
)
rlk.callbacks.RecordEpisode(
    out,
    environment=make(render_mode="rgb_array"),
    policy=rlk.policies.EpsilonGreedy(0.01, seed=options.seed),
    max_steps=100,
).record(agent, out / "play.gif")
print(
    f"Return {scores.mean():.3f} (lowest {scores.min():.3f}) over "
    f"{len(scores)} episodes after {collect.environment_steps:,} steps in "
    f"{wall_minutes:.1f} minutes."
)
