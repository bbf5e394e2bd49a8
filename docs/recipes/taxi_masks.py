"""Drive a taxi that is told which actions do something: masks of actions.

What you will see: `info["action_mask"]` of Taxi-v4 forbids what would change
nothing, such as driving into a wall. With the mask, which is never played and
never looked at in a maximum, the taxi learns the shortest ways; without it, it
first has to find out what does nothing. The Q network is a table: one layer.

    python docs/recipes/taxi_masks.py

    --quick      a run of half a minute that shows all parts and learns less
    --steps N    environment steps of each run (default 100,000)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/taxi_masks)

DIR then holds `learning_curve.png`, `history.csv` (with the mask),
`history_unmasked.csv`, `taxi.keras`, `play.gif` and `results.json`.
"""

import argparse
import json
import pathlib
import time

import gymnasium
import keras

import keras_rlkit as rlk

# ## What to run

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--steps", type=int)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=pathlib.Path, default="runs/taxi_masks")
options = parser.parse_args()

steps = options.steps or (20_000 if options.quick else 100_000)
num_envs, epochs, warmup_steps = 8, 10, 1_000
steps_per_update = 2
updates = (steps - warmup_steps) // steps_per_update // epochs // 16 * 16
out = options.out
out.mkdir(parents=True, exist_ok=True)
print(
    f"Learning Taxi-v4 twice for {steps:,} steps, {epochs} epochs, seed "
    f"{options.seed}: about {steps / 1_000 / 60 + 0.5:.0f} minutes on two CPU "
    f"cores. Results go to {out}/."
)

# ## One run
#
# `as_vector` decides whether masks are read; the buffer stores them beside the
# observations, and the agent finds them in its batches. Nothing else changes.


def learn(masked: bool, history: pathlib.Path):
    """Train an agent; return it, its scores and the steps that it played."""
    keras.utils.set_random_seed(options.seed)
    environment = rlk.environments.as_vector(
        gymnasium.make_vec("Taxi-v4", num_envs), action_masks=masked
    )
    # 500 states, 6 actions: a table of Q values.
    network = keras.Sequential(
        [
            keras.Input((), dtype="int32"),
            keras.layers.Embedding(500, 6, embeddings_initializer="zeros"),
        ]
    )
    agent = rlk.models.DoubleDQN(network, target_update_rate=0.02)
    agent.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.PolynomialDecay(
                0.1, epochs * updates, 0.0
            )
        ),
        loss=keras.losses.Huber(),
        steps_per_execution=16,
    )
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment,
        capacity=50_000,
        n_step=3,
        discount=0.95,
        seed=options.seed,
        action_masks=masked,
    )
    on_tensorflow = keras.backend.backend() == "tensorflow"
    batches = replay.dataset if on_tensorflow else replay.batches
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
        rlk.environments.as_vector(
            gymnasium.make_vec("Taxi-v4", 20), action_masks=masked
        ),
        rlk.policies.Greedy(),
        episodes=100,
        seed=options.seed + 1000,
    )
    agent.fit(
        batches(batch_size=128),
        epochs=epochs,
        steps_per_epoch=updates,
        callbacks=[collect, evaluation, keras.callbacks.CSVLogger(history)],
        verbose=2,
    )
    # Starts differ in how far the ways are: many give a steady mean.
    evaluation.episodes = 200 if options.quick else 1_000
    return agent, evaluation.evaluate(agent), collect.environment_steps


# ## Both runs

start = time.time()
agent, scores, played = learn(True, out / "history.csv")
_, unmasked_scores, _ = learn(False, out / "history_unmasked.csv")
wall_minutes = (time.time() - start) / 60

# ## What came of it

results = {
    "seed": options.seed,
    "environment_steps": played,
    "wall_minutes": round(wall_minutes, 2),
    "evaluation_mean": float(scores.mean()),
    "evaluation_min": float(scores.min()),
    "unmasked_mean": float(unmasked_scores.mean()),
    "episodes": len(scores),
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
agent.save(out / "taxi.keras")
rlk.plots.learning_curve(
    {
        "with the mask": out / "history.csv",
        "without it": out / "history_unmasked.csv",
    },
    x="environment_steps",
    y={"evaluation_return": ""},
    references={"shortest ways": 8},
    title=f"Taxi-v4, greedy, 100 episodes, seed {options.seed}",
    x_label="environment steps",
    y_label="return of an episode",
    path=out / "learning_curve.png",
)
rlk.callbacks.RecordEpisode(
    out,
    environment=gymnasium.make("Taxi-v4", render_mode="rgb_array"),
).record(agent, out / "play.gif")
print(
    f"Greedy return {scores.mean():.2f} with the mask, "
    f"{unmasked_scores.mean():.2f} without, over {len(scores)} episodes after "
    f"{played:,} steps each, in {wall_minutes:.1f} minutes."
)
