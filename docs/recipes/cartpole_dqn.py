"""Balance a pole with a double Q network: the smallest complete run.

What you will see: an agent that keeps the pole of CartPole-v1 upright for the
full 500 steps after 50,000 steps of practice, about three minutes on two CPU
cores. Start here to see how the parts fit together:

    python docs/recipes/cartpole_dqn.py

    --quick      a run of half a minute that shows all parts and learns less
    --steps N    environment steps to play (default 50,000)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/cartpole_dqn)
    --prioritized   draw transitions by their TD errors instead of uniformly
    --head NAME     "dueling" for Q values (default), "categorical" (C51) or
                    "quantile" (QR-DQN) for distributions of the return

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
parser.add_argument("--out", type=pathlib.Path, default="runs/cartpole_dqn")
parser.add_argument("--prioritized", action="store_true")
parser.add_argument(
    "--head", default="dueling", choices=["dueling", "categorical", "quantile"]
)
options = parser.parse_args()

steps = options.steps or (10_000 if options.quick else 50_000)
warmup_steps = 1_000
steps_per_update = 1
epochs = 10
# Gradient steps of an epoch, in whole executions of eight.
updates = max(1, (steps - warmup_steps) // steps_per_update // epochs // 8) * 8
out = options.out
out.mkdir(parents=True, exist_ok=True)
print(
    f"Learning CartPole-v1 for {steps:,} steps, {epochs} epochs, seed "
    f"{options.seed}: about {steps / 300 / 60 + 0.5:.0f} minutes on two CPU "
    f"cores. Results go to {out}/."
)
keras.utils.set_random_seed(options.seed)

# ## Environment and network

environment = gymnasium.make("CartPole-v1")
evaluation_environment = gymnasium.make_vec("CartPole-v1", num_envs=20)
num_actions = environment.action_space.n
head, model = {
    "dueling": (
        rlk.layers.DuelingHead(num_actions, units=128),
        rlk.models.DoubleDQN,
    ),
    # With a discount of 0.98 no return is above 50.
    "categorical": (
        rlk.layers.CategoricalValueHead(
            num_actions, value_range=(0, 50), units=128
        ),
        rlk.models.CategoricalDQN,
    ),
    "quantile": (
        rlk.layers.QuantileValueHead(num_actions, units=128),
        rlk.models.QuantileDQN,
    ),
}[options.head]
network = keras.Sequential(
    [
        keras.Input(environment.observation_space.shape),
        keras.layers.Dense(128, activation="relu"),
        head,
    ]
)

# ## The agent
#
# The learning rate falls to zero, so that the last steps settle what was
# learned: Q-learning forgets easily. The target network follows softly.

agent = model(network, target_update_rate=0.005)
agent.compile(
    optimizer=keras.optimizers.Adam(
        keras.optimizers.schedules.PolynomialDecay(5e-4, epochs * updates, 0.0)
    ),
    # Distributions have a loss of their own.
    loss=keras.losses.Huber() if options.head == "dueling" else None,
    steps_per_execution=8,
)

# ## Learning
#
# For each gradient step `CollectSteps` plays one step of the environment. A
# pole that falls is terminal; the limit of 500 steps is not, and the buffer
# keeps the difference. Transitions are bootstrapped over three steps, and drawn
# uniformly or, on request, by how much there is to learn from them.

sampler = rlk.replay.Uniform()
if options.prioritized:
    beta = keras.optimizers.schedules.PolynomialDecay(
        0.4, epochs * updates, 1.0
    )
    sampler = rlk.replay.Prioritized(alpha=0.4, beta=beta)
replay = rlk.replay.ReplayBuffer.for_environment(
    environment,
    capacity=50_000,
    n_step=3,
    discount=0.98,
    sampler=sampler,
    seed=options.seed,
)
on_tensorflow = keras.backend.backend() == "tensorflow"
batches = (replay.dataset if on_tensorflow else replay.batches)(batch_size=128)
collect = rlk.callbacks.CollectSteps(
    environment,
    replay,
    rlk.policies.EpsilonGreedy(
        keras.optimizers.schedules.PolynomialDecay(1.0, steps // 5, 0.05),
        seed=options.seed + 1,
    ),
    steps_per_update=steps_per_update,
    warmup_steps=warmup_steps,
    seed=options.seed,
)
evaluation = rlk.callbacks.EvaluatePolicy(
    evaluation_environment,
    rlk.policies.Greedy(),
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
    title=f"CartPole-v1, seed {options.seed}",
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
