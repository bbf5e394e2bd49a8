"""Balance a pole with REINFORCE: a plain Keras model and one loss.

What you will see: a `keras.Sequential` with `PolicyGradientLoss` learns to keep
the pole of CartPole-v1 upright for the full 500 steps. It is the system of the
tutorial "Policy Gradient Reinforcement Learning in TensorFlow 2" of Adventures
in Machine Learning, with that tutorial's defects cured. A minute or two on two
CPU cores, half of it with KERAS_BACKEND=jax:

    python docs/recipes/cartpole_reinforce.py

    --quick      a run of half a minute that shows all parts and learns less
    --steps N    environment steps to play at most (default 200,000)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/cartpole_reinforce)
    --tutorial   the tutorial's own settings instead of ours

DIR then holds `learning_curve.png`, `history.csv`, `cartpole.keras`,
`play.gif`, `results.json`, and TensorBoard's files in `logs/`.
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
parser.add_argument(
    "--out", type=pathlib.Path, default="runs/cartpole_reinforce"
)
parser.add_argument("--tutorial", action="store_true")
options = parser.parse_args()

# Ours differ from the tutorial's where the field has learned since: a gradient
# step sees four episodes instead of one and looks further ahead, the network
# is wider, and a small bonus keeps the policy from settling too early. Looking
# further than 50 steps (a discount above 0.98) adds more noise than knowledge.
settings = {
    "units": 64,
    "discount": 0.98,
    "episodes_per_epoch": 4,
    "learning_rate": 1e-2,
    "entropy_weight": 0.01,
}
if options.tutorial:
    settings = {
        "units": 30,
        "discount": 0.95,
        "episodes_per_epoch": 1,
        "learning_rate": 1e-3,
        "entropy_weight": 0.0,
    }
steps = options.steps or (20_000 if options.quick else 200_000)
out = options.out
out.mkdir(parents=True, exist_ok=True)
print(
    f"Learning CartPole-v1 for at most {steps:,} steps, seed {options.seed}: "
    f"about {steps / 1e5 + 0.5:.0f} minutes on two CPU cores. "
    f"Results go to {out}/."
)
keras.utils.set_random_seed(options.seed)

# ## Environments and network
#
# One environment for each episode of an epoch: they play side by side, and the
# network acts in all of them with one call. It ends in logits; the tutorial's
# softmax is part of the policy and of the loss.

num_envs = settings["episodes_per_epoch"]
environment = gymnasium.make_vec("CartPole-v1", num_envs=num_envs)
evaluation_environment = gymnasium.make_vec("CartPole-v1", num_envs=20)
model = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(
            settings["units"], "relu", kernel_initializer="he_normal"
        ),
        keras.layers.Dense(
            settings["units"], "relu", kernel_initializer="he_normal"
        ),
        keras.layers.Dense(2),
    ]
)

# ## The loss
#
# -log pi(a) times what came of a. The actions are the targets, the
# standardised returns the sample weights. The learning rate falls, so that the
# last steps settle what was learned.

model.compile(
    optimizer=keras.optimizers.Adam(settings["learning_rate"]),
    loss=rlk.losses.PolicyGradientLoss(settings["entropy_weight"]),
)

# ## Learning
#
# An epoch is a number of whole episodes, then one gradient step on them. A
# pole that falls is terminal; the limit of 500 steps is not: beyond it rewards
# count on, as if the pole stayed up.

buffer = rlk.replay.EpisodeBuffer.for_environment(
    environment,
    discount=settings["discount"],
    standardize=True,
    seed=options.seed,
)
on_tensorflow = keras.backend.backend() == "tensorflow"
batches = (buffer.dataset if on_tensorflow else buffer.batches)()
collect = rlk.callbacks.CollectEpisodes(
    environment,
    buffer,
    rlk.policies.Categorical(seed=options.seed),
    episodes_per_epoch=settings["episodes_per_epoch"],
    seed=options.seed,
)
evaluation = rlk.callbacks.EvaluatePolicy(
    evaluation_environment,
    rlk.policies.Greedy(),
    episodes=20,
    every_epochs=40 // num_envs,
    seed=options.seed + 1000,
)


class Budget(keras.callbacks.Callback):
    """Ends training, and lowers the learning rate on the way there."""

    def on_epoch_begin(self, epoch, logs=None):
        left = 1 - collect.environment_steps / steps
        rate = settings["learning_rate"]
        self.model.optimizer.learning_rate = rate * max(left, 0.05)

    def on_epoch_end(self, epoch, logs=None):
        # No epoch is longer than this.
        if collect.environment_steps + 500 * num_envs > steps:
            self.model.stop_training = True


start = time.time()
model.fit(
    batches,
    epochs=steps,
    callbacks=[
        collect,
        Budget(),
        evaluation,
        keras.callbacks.CSVLogger(out / "history.csv"),
        keras.callbacks.TensorBoard(out / "logs"),
    ],
    shuffle=False,
    verbose=2,
)
wall_minutes = (time.time() - start) / 60

# ## What came of it

scores = evaluation.evaluate(model)
results = {
    "seed": options.seed,
    "environment_steps": collect.environment_steps,
    "wall_minutes": round(wall_minutes, 2),
    "evaluation_mean": float(scores.mean()),
    "evaluation_min": float(scores.min()),
    "episodes": len(scores),
    "backend": keras.backend.backend(),
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
model.save(out / "cartpole.keras")
rlk.plots.learning_curve(
    out / "history.csv",
    x="environment_steps",
    y={
        "evaluation_return": "greedy, 20 episodes",
        "episode_return": "while learning",
    },
    references={"maximum": 500},
    title=f"CartPole-v1, REINFORCE, seed {options.seed}",
    x_label="environment steps",
    y_label="return of an episode",
    path=out / "learning_curve.png",
)
rlk.callbacks.RecordEpisode(
    out,
    environment=gymnasium.make("CartPole-v1", render_mode="rgb_array"),
    max_steps=200,
).record(model, out / "play.gif")
print(
    f"Greedy return {scores.mean():.1f} (lowest {scores.min():.0f}) over "
    f"{len(scores)} episodes after {collect.environment_steps:,} steps in "
    f"{wall_minutes:.1f} minutes."
)
