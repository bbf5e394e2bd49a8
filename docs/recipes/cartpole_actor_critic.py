"""Balance a pole with an actor and a critic: A2C, or PPO.

What you will see: a policy and a value, two small networks, learn to keep the
pole of CartPole-v1 upright for the full 500 steps. A minute or two on two CPU
cores, half of it with KERAS_BACKEND=jax:

    python docs/recipes/cartpole_actor_critic.py
    python docs/recipes/cartpole_actor_critic.py --ppo

    --quick      a run of half a minute that shows all parts and learns less
    --steps N    environment steps (default 200,000; with --ppo 100,000)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/cartpole_actor_critic)
    --ppo        proximal policy optimisation instead of A2C

DIR then holds `learning_curve.png`, `history.csv`, `cartpole.keras`,
`play.gif` and `results.json`.
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
    "--out", type=pathlib.Path, default="runs/cartpole_actor_critic"
)
parser.add_argument("--ppo", action="store_true")
options = parser.parse_args()

# A2C takes one gradient step on each small rollout; PPO's clipped objective
# allows many on a larger one.
settings = {
    "num_envs": 8,
    "steps_per_epoch": 64,
    "minibatches": 1,
    "passes": 1,
    "clip": None,
    "lambda_": 1.0,
    "reward_scale": 0.1,
    "learning_rate": 3e-3,
    "steps": 200_000,
}
if options.ppo:
    settings |= {
        "steps_per_epoch": 1024,
        "minibatches": 8,
        "passes": 10,
        "clip": 0.2,
        "lambda_": 0.95,
        "reward_scale": 1.0,
        "learning_rate": 1e-3,
        "steps": 100_000,
    }
if options.quick:
    settings["steps"] = 15_000
if options.steps:
    settings["steps"] = options.steps
# The last step of all environments in an epoch may go over by all but one.
epoch_steps = settings["steps_per_epoch"] + settings["num_envs"]
epochs = max(1, settings["steps"] // epoch_steps)
out = options.out
out.mkdir(parents=True, exist_ok=True)
print(
    f"Learning CartPole-v1 for {settings['steps']:,} steps, {epochs} epochs, "
    f"seed {options.seed}: about {settings['steps'] / 1e5 + 0.5:.0f} minutes "
    f"on two CPU cores. Results go to {out}/."
)
keras.utils.set_random_seed(options.seed)

# ## Environments and networks
#
# The last layer of the policy begins near zero: all actions alike.

environment = gymnasium.make_vec("CartPole-v1", num_envs=settings["num_envs"])
evaluation_environment = gymnasium.make_vec("CartPole-v1", num_envs=20)


def network(units: int, scale: float) -> keras.Model:
    """Return two layers of 64 units and a linear one on top."""
    orthogonal = keras.initializers.Orthogonal
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(
                64, "tanh", kernel_initializer=orthogonal(2**0.5)
            ),
            keras.layers.Dense(
                64, "tanh", kernel_initializer=orthogonal(2**0.5)
            ),
            keras.layers.Dense(units, kernel_initializer=orthogonal(scale)),
        ]
    )


agent = rlk.models.ActorCritic(
    network(2, 0.01), network(1, 1.0), clip=settings["clip"]
)
gradient_steps = epochs * settings["minibatches"] * settings["passes"]
agent.compile(
    keras.optimizers.Adam(
        keras.optimizers.schedules.PolynomialDecay(
            settings["learning_rate"], gradient_steps, 0.0
        ),
        global_clipnorm=0.5,
    )
)

# ## Learning
#
# With `lambda_` the buffer gives generalized advantage estimates. Where the
# time limit cuts an episode, they count on with the critic's value.

buffer = rlk.replay.EpisodeBuffer.for_environment(
    environment,
    discount=0.99,
    lambda_=settings["lambda_"],
    standardize=True,
    seed=options.seed,
)
on_tensorflow = keras.backend.backend() == "tensorflow"
batches = (buffer.dataset if on_tensorflow else buffer.batches)(
    settings["minibatches"], settings["passes"]
)
collect = rlk.callbacks.CollectRollout(
    environment,
    buffer,
    rlk.policies.Categorical(seed=options.seed),
    steps_per_epoch=settings["steps_per_epoch"],
    reward_scale=settings["reward_scale"],
    seed=options.seed,
)
evaluation = rlk.callbacks.EvaluatePolicy(
    evaluation_environment,
    rlk.policies.Greedy(),
    episodes=20,
    every_epochs=max(1, epochs // 10),
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
    ],
    shuffle=False,
    verbose=2,
)
wall_minutes = (time.time() - start) / 60

# ## What came of it

scores = evaluation.evaluate(agent)
results = {
    "algorithm": "PPO" if options.ppo else "A2C",
    "seed": options.seed,
    "environment_steps": collect.environment_steps,
    "wall_minutes": round(wall_minutes, 2),
    "evaluation_mean": float(scores.mean()),
    "evaluation_min": float(scores.min()),
    "episodes": len(scores),
    "backend": keras.backend.backend(),
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
agent.save(out / "cartpole.keras")
rlk.plots.learning_curve(
    out / "history.csv",
    x="environment_steps",
    y={
        "evaluation_return": "greedy, 20 episodes",
        "episode_return": "while learning",
    },
    references={"maximum": 500},
    title=f"CartPole-v1, {results['algorithm']}, seed {options.seed}",
    x_label="environment steps",
    y_label="return of an episode",
    path=out / "learning_curve.png",
)
rlk.callbacks.RecordEpisode(
    out,
    environment=gymnasium.make("CartPole-v1", render_mode="rgb_array"),
    max_steps=200,
).record(agent, out / "play.gif")
print(
    f"Greedy return {scores.mean():.1f} (lowest {scores.min():.0f}) over "
    f"{len(scores)} episodes after {collect.environment_steps:,} steps in "
    f"{wall_minutes:.1f} minutes."
)
