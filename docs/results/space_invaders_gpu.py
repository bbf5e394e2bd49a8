"""Learn Space Invaders for 10 million frames, one seed a process.

Dueling double DQN in the setting whose curves Dopamine publishes: sticky
actions (0.25), whole games, one gradient step of 32 for each 4 agent steps, the
target network copied every 8,000 agent steps, epsilon from 1 to 0.01 over
250,000. The optimizer and three-step returns are those of its Rainbow, the
network is that of Mnih et al. (2015) with a dueling head. Three seeds side by
side on one GPU, nine minutes each at most:

    for seed in 0 1 2; do
        KERAS_BACKEND=jax python docs/results/space_invaders_gpu.py \\
            --seed $seed --minutes 9 --out runs/space_invaders_gpu_$seed &
    done; wait

Each needs 7 GiB of memory for a million transitions. Learning ends after
`--steps` agent steps, or earlier, so that the whole run, evaluation and start
included, takes `--minutes`. DIR then holds `history.csv`, a row for each epoch
as it ends, `space_invaders.keras` and `results.json`: the training return over
the million frames before the 1st, 5th and 10th million, and the scores of whole
games played afterwards.
"""

import argparse
import csv
import json
import math
import os
import pathlib
import time

START = time.perf_counter()
# So that several processes can share one GPU.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import keras  # noqa: E402

import keras_rlkit as rlk  # noqa: E402

STEPS_PER_UPDATE, EXECUTION, BATCH, FRAME_SKIP = 4, 16, 32, 4
MILESTONES = (1, 5, 10)  # million frames
EPSILONS = (0.001, 0.05)
# What stands in `history.csv` where an epoch has no score.
MISSING = ("NA", "nan")

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--steps", type=int, default=2_500_000)
parser.add_argument("--minutes", type=float, default=math.inf)
parser.add_argument("--reserve", type=float, default=25, help="seconds to play")
parser.add_argument("--num_envs", type=int, default=32)
parser.add_argument("--num_threads", type=int, default=0)
parser.add_argument("--capacity", type=int, default=1_000_000)
parser.add_argument("--warmup", type=int, default=20_000)
parser.add_argument("--epsilon_steps", type=int, default=250_000)
parser.add_argument("--epoch_steps", type=int, default=25_000)
parser.add_argument("--episodes", type=int, default=30, help="0: none")
parser.add_argument(
    "--out", type=pathlib.Path, default="runs/space_invaders_gpu"
)


class Clock(keras.callbacks.Callback):
    """Logs the seconds since the start and ends `fit` when time is up."""

    def __init__(self, limit: float):
        super().__init__()
        self.limit = limit

    def on_train_batch_end(self, batch, logs=None):
        if time.perf_counter() - START >= self.limit:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        logs["seconds"] = time.perf_counter() - START
        score = logs.get("episode_return")
        print(
            f"{logs['seconds']:6.0f} s, {logs['environment_steps']:9,} steps, "
            + ("" if score is None else f"return {score:6.1f}, ")
            + f"loss {logs['loss']:.4f}, q {logs['q_value']:.2f}",
            flush=True,
        )


def make_agent(num_actions: int, observation_shape: tuple) -> keras.Model:
    """Return the compiled agent."""
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input(observation_shape, dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 8, strides=4, activation="relu"),
            layers.Conv2D(64, 4, strides=2, activation="relu"),
            layers.Conv2D(64, 3, strides=1, activation="relu"),
            layers.Flatten(),
            rlk.layers.DuelingHead(num_actions, units=512),
        ]
    )
    agent = rlk.models.DoubleDQN(network, target_update_period=2_000)
    agent.compile(
        optimizer=keras.optimizers.Adam(6.25e-5, epsilon=1.5e-4),
        loss=keras.losses.Huber(),
        steps_per_execution=EXECUTION,
    )
    return agent


def training_return(
    history: list[dict], warmup: int, millions: float
) -> float | None:
    """Return the mean score of the games that ended in a million frames.

    Args:
        history: Rows of `history.csv`.
        warmup: Agent steps before the first epoch.
        millions: Where the million ends, in millions of frames.

    Returns:
        The mean over games, or `None` where training didn't come so far.
        Scores are known as means over epochs: one counts by the number of
        games that its steps hold, and for the million that its middle is in.
    """
    last = millions * 1e6 / FRAME_SKIP
    first, before = last - 1e6 / FRAME_SKIP, warmup
    total = games = 0.0
    for row in history:
        reached = float(row["environment_steps"])
        played, middle = reached - before, (reached + before) / 2
        before = reached
        # No game ended in an epoch without a score.
        if first < middle <= last and row["episode_return"] not in MISSING:
            score = float(row["episode_return"])
            length = float(row["episode_length"])
            total += score * played / length
            games += played / length
    return total / games if before >= last and games else None


def main() -> None:
    options = parser.parse_args()
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(options.seed)
    environment = rlk.environments.atari(
        "space_invaders",
        num_envs=options.num_envs,
        sticky_actions=0.25,
        num_threads=options.num_threads,
        seed=options.seed,
    )
    agent = make_agent(
        environment.single_action_space.n,
        environment.single_observation_space.shape,
    )
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment,
        capacity=options.capacity,
        frame_stack=4,
        n_step=3,
        discount=0.99,
        seed=options.seed,
    )
    epsilon = keras.optimizers.schedules.PolynomialDecay(
        1.0, options.epsilon_steps, 0.01
    )
    collect = rlk.callbacks.CollectSteps(
        environment,
        replay,
        rlk.policies.EpsilonGreedy(epsilon, seed=options.seed + 1),
        steps_per_update=STEPS_PER_UPDATE,
        warmup_steps=options.warmup,
        reward_range=(-1, 1),
        seed=options.seed,
    )
    # Whole executions, the same number in every epoch.
    learning_steps = max(options.steps - options.warmup, 1)
    epochs = max(1, round(learning_steps / options.epoch_steps))
    updates = -(-learning_steps // STEPS_PER_UPDATE // epochs // EXECUTION)
    on_tensorflow = keras.backend.backend() == "tensorflow"
    agent.fit(
        (replay.dataset if on_tensorflow else replay.batches)(BATCH),
        epochs=epochs,
        steps_per_epoch=updates * EXECUTION,
        callbacks=[
            collect,
            Clock(60 * options.minutes - options.reserve),
            keras.callbacks.CSVLogger(out / "history.csv"),
        ],
        shuffle=False,
        verbose=0,
    )
    learned = time.perf_counter()
    agent.save(out / "space_invaders.keras")
    with open(out / "history.csv", newline="") as file:
        history = list(csv.DictReader(file))
    millions = collect.environment_steps * FRAME_SKIP / 1e6
    results = {
        "seed": options.seed,
        "backend": keras.backend.backend(),
        "agent_steps": collect.environment_steps,
        "gradient_steps": int(agent.gradient_steps),
        "seconds_learning": round(learned - START, 1),
        "steps_per_second": round(
            collect.environment_steps / (learned - START), 1
        ),
        "training_return": {
            f"{mark} M frames": training_return(history, options.warmup, mark)
            for mark in MILESTONES
        },
        "training_return_of_last_million_frames": training_return(
            history, options.warmup, millions
        ),
    }
    file = out / "results.json"
    file.write_text(json.dumps(results, indent=2) + "\n")
    if not options.episodes:
        return
    evaluation_environment = environment.twin(
        num_envs=options.episodes, seed=options.seed + 1000
    )
    for epsilon in EPSILONS:
        scores = rlk.callbacks.EvaluatePolicy(
            evaluation_environment,
            rlk.policies.EpsilonGreedy(epsilon, seed=options.seed + 2),
            episodes=options.episodes,
            seed=options.seed + 3000,
        ).evaluate(agent)
        results[f"evaluation, epsilon {epsilon}"] = {
            "mean": float(scores.mean()),
            "std": float(scores.std()),
            "min": float(scores.min()),
            "max": float(scores.max()),
            "games": len(scores),
        }
        # Each as it comes, should the run be ended from outside.
        file.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))
    print(f"{time.perf_counter() - START:.0f} s in all.")


if __name__ == "__main__":
    main()
