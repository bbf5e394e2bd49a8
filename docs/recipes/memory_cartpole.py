"""Balance a pole without being told how fast it moves: a network with memory.

What you will see: CartPole-v1 shows positions and velocities. Here the
velocities are hidden, so that one observation doesn't tell which way the pole
falls. A recurrent network remembers where it was; a network without memory,
trained by the same PPO with the same settings, can't know.

    python docs/recipes/memory_cartpole.py

    --quick      a run of half a minute that shows all parts and learns less
    --steps N    environment steps of each run (default 200,000)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/memory_cartpole)

DIR then holds `learning_curve.png`, `history.csv` (the recurrent network),
`history_without_memory.csv`, `memory.keras`, `play.gif` and `results.json`.
"""

import argparse
import json
import pathlib
import time

import gymnasium
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
parser.add_argument("--out", type=pathlib.Path, default="runs/memory_cartpole")
options = parser.parse_args()

steps = options.steps or (30_000 if options.quick else 200_000)
num_envs, minibatches, passes = 8, 4, 4
steps_per_epoch = num_envs * 128
epochs = steps // steps_per_epoch
every_epochs = max(1, epochs // 20)
out = options.out
out.mkdir(parents=True, exist_ok=True)
print(
    f"Learning CartPole-v1 without velocities twice for {steps:,} steps, seed "
    f"{options.seed}: about {steps / 150_000 + 0.5:.0f} minutes on two CPU "
    f"cores. Results go to {out}/."
)

# ## An environment that hides something


def make_environment(**arguments):
    """Return CartPole-v1 that shows the cart's place and the pole's angle.

    Both are 1 or -1 where an episode ends.
    """
    environment = gymnasium.make("CartPole-v1", **arguments)
    limits = np.array([2.4, 0.2095], "float32")
    return gymnasium.wrappers.TransformObservation(
        environment,
        lambda observation: observation[[0, 2]] / limits,
        gymnasium.spaces.Box(-2, 2, (2,)),
    )


def make_environments(count):
    """Return several of them that play together."""
    return gymnasium.vector.SyncVectorEnv([make_environment] * count)


# ## Two networks
#
# They differ in one layer. A recurrent network goes from sequences [B, T, 2] to
# sequences; its state is carried from step to step by whoever acts with it.


def make_network(remembers):
    """Return a network from observations to policy and value."""
    inputs = keras.Input((None, 2) if remembers else (2,))
    outputs = {}
    for name, units, scale in (("policy", 2, 0.01), ("value", 1, 1.0)):
        features = keras.layers.Dense(64, activation="tanh")(inputs)
        if remembers:
            layer = keras.layers.LSTM(64, return_sequences=True)
        else:
            layer = keras.layers.Dense(64, activation="tanh")
        outputs[name] = keras.layers.Dense(
            units, kernel_initializer=keras.initializers.Orthogonal(scale)
        )(layer(features))
    return keras.Model(inputs, outputs)


# ## One run


def learn(remembers: bool, history: pathlib.Path):
    """Train an agent; return it, its scores and the steps that it played."""
    keras.utils.set_random_seed(options.seed)
    environment = make_environments(num_envs)
    agent = rlk.models.ActorCritic(make_network(remembers), clip=0.2)
    agent.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.PolynomialDecay(
                1e-3, epochs * minibatches * passes, 0.0
            ),
            global_clipnorm=0.5,
        )
    )
    # Sequences of 32 steps, each with the state that it began with.
    sequences = {"sequence_length": 32, "state_shape": agent.state_shape}
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment,
        discount=0.98,
        lambda_=0.95,
        standardize=True,
        seed=options.seed,
        **(sequences if remembers else {}),
    )
    on_tensorflow = keras.backend.backend() == "tensorflow"
    batches = buffer.dataset if on_tensorflow else buffer.batches
    collect = rlk.callbacks.CollectRollout(
        environment,
        buffer,
        rlk.policies.Categorical(seed=options.seed + 1),
        steps_per_epoch=steps_per_epoch,
        normalize_rewards=True,
        seed=options.seed,
    )
    evaluation = rlk.callbacks.EvaluatePolicy(
        make_environments(20),
        rlk.policies.Greedy(),
        episodes=20,
        every_epochs=every_epochs,
        seed=options.seed + 1000,
    )
    agent.fit(
        batches(minibatches, passes),
        epochs=epochs,
        callbacks=[collect, evaluation, keras.callbacks.CSVLogger(history)],
        verbose=2,
    )
    evaluation.episodes = 100
    return agent, evaluation.evaluate(agent), collect.environment_steps


# ## Both runs

start = time.time()
agent, scores, played = learn(True, out / "history.csv")
_, scores_without, _ = learn(False, out / "history_without_memory.csv")
wall_minutes = (time.time() - start) / 60

# ## What came of it

results = {
    "seed": options.seed,
    "environment_steps": played,
    "wall_minutes": round(wall_minutes, 2),
    "evaluation_mean": float(scores.mean()),
    "evaluation_min": float(scores.min()),
    "mean_without_memory": float(scores_without.mean()),
    "episodes": len(scores),
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
agent.save(out / "memory.keras")
rlk.plots.learning_curve(
    {
        "recurrent": out / "history.csv",
        "without memory": out / "history_without_memory.csv",
    },
    x="environment_steps",
    y={"evaluation_return": ""},
    references={"longest episode": 500},
    title=f"CartPole-v1 without velocities, greedy, seed {options.seed}",
    x_label="environment steps",
    y_label="return of an episode",
    path=out / "learning_curve.png",
)
rlk.callbacks.RecordEpisode(
    out,
    environment=make_environment(render_mode="rgb_array"),
    policy=rlk.policies.Greedy(),
).record(agent, out / "play.gif")
print(
    f"Greedy return {scores.mean():.1f} with memory, "
    f"{scores_without.mean():.1f} without, over {len(scores)} episodes after "
    f"{played:,} steps each, in {wall_minutes:.1f} minutes."
)
