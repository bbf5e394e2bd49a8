"""Swing up a pendulum with PPO: continuous actions.

What you will see: a Gaussian policy learns with how much torque to swing
Pendulum-v1 up and to hold it there. Returns rise from about -1,200 to about
-170. A few minutes on two CPU cores, half of it with KERAS_BACKEND=jax:

    python docs/recipes/pendulum_ppo.py

    --quick      a run of half a minute that shows all parts and learns little
    --steps N    environment steps (default 300,000)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/pendulum_ppo)

DIR then holds `learning_curve.png`, `history.csv`, `pendulum.keras`,
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
parser.add_argument("--out", type=pathlib.Path, default="runs/pendulum_ppo")
options = parser.parse_args()

steps = options.steps or (20_000 if options.quick else 300_000)
steps_per_epoch, minibatches, passes = 2048, 16, 10
epochs = max(1, steps // steps_per_epoch)
out = options.out
out.mkdir(parents=True, exist_ok=True)
print(
    f"Learning Pendulum-v1 for {steps:,} steps, {epochs} epochs, seed "
    f"{options.seed}: about {steps / 1e5 + 0.5:.0f} minutes on two CPU cores. "
    f"Results go to {out}/."
)
keras.utils.set_random_seed(options.seed)

# ## Environments and networks
#
# The policy gives a mean and the logarithm of a standard deviation for the one
# torque. The latter begins at 0 everywhere.

environment = gymnasium.make_vec(
    "Pendulum-v1",
    num_envs=8,
    vector_kwargs={"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP},
)
evaluation_environment = gymnasium.make_vec("Pendulum-v1", num_envs=20)


def features(inputs):
    """Return two layers of 64 units on the observation."""
    for _ in range(2):
        inputs = keras.layers.Dense(
            64, "tanh", kernel_initializer=keras.initializers.Orthogonal(2**0.5)
        )(inputs)
    return inputs


inputs = keras.Input((3,))
hidden = features(inputs)
mean = keras.layers.Dense(
    1, kernel_initializer=keras.initializers.Orthogonal(0.01)
)(hidden)
log_scale = keras.layers.Dense(1, kernel_initializer="zeros")(hidden)
policy_network = keras.Model(
    inputs, keras.layers.Concatenate()([mean, log_scale])
)
value_network = keras.Model(inputs, keras.layers.Dense(1)(features(inputs)))
agent = rlk.models.ActorCritic(
    policy_network, value_network, distribution="gaussian", clip=0.2
)
agent.compile(
    keras.optimizers.Adam(
        keras.optimizers.schedules.PolynomialDecay(
            1e-3, epochs * minibatches * passes, 0.0
        ),
        global_clipnorm=0.5,
    )
)

# ## Learning
#
# Rewards are scaled for the critic: down to -16 a step, they would make values
# of hundreds. Every episode ends by its time limit of 200 steps, so every last
# reward counts on with the critic's value.

buffer = rlk.replay.EpisodeBuffer.for_environment(
    environment,
    discount=0.95,
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
    rlk.policies.Gaussian(seed=options.seed),
    steps_per_epoch=steps_per_epoch,
    reward_scale=0.1,
    seed=options.seed,
)
evaluation_policy = rlk.policies.Gaussian(
    stochastic=False, action_space=evaluation_environment.single_action_space
)
evaluation = rlk.callbacks.EvaluatePolicy(
    evaluation_environment,
    evaluation_policy,
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
    "seed": options.seed,
    "environment_steps": collect.environment_steps,
    "wall_minutes": round(wall_minutes, 2),
    "evaluation_mean": float(scores.mean()),
    "evaluation_min": float(scores.min()),
    "episodes": len(scores),
    "backend": keras.backend.backend(),
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
agent.save(out / "pendulum.keras")
rlk.plots.learning_curve(
    out / "history.csv",
    x="environment_steps",
    y={
        "evaluation_return": "means as actions, 20 episodes",
        "episode_return": "while learning",
    },
    title=f"Pendulum-v1, PPO, seed {options.seed}",
    x_label="environment steps",
    y_label="return of an episode",
    path=out / "learning_curve.png",
)
rlk.callbacks.RecordEpisode(
    out,
    environment=gymnasium.make("Pendulum-v1", render_mode="rgb_array"),
    policy=evaluation_policy,
    max_steps=200,
).record(agent, out / "play.gif")
print(
    f"Return {scores.mean():.1f} (lowest {scores.min():.0f}) over "
    f"{len(scores)} episodes after {collect.environment_steps:,} steps in "
    f"{wall_minutes:.1f} minutes."
)
