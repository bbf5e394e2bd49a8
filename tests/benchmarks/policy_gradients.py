"""Measure A2C and PPO on CartPole-v1 beside Stable-Baselines3, in one run.

    python tests/benchmarks/policy_gradients.py [--quick]

Stable-Baselines3 is installed into an environment of its own, in
`runs/benchmarks/`, at the first run. Each side runs in a process of its own,
in turn (A B A B ...), so that a machine whose speed drifts hits both; a ratio
is the median over the pairs. Both learn:
same networks (two of 64 and 64 tanh units), rollouts, minibatches and passes.
Environments are gymnasium's `SyncVectorEnv` here and `DummyVecEnv` there; one
more row has gymnasium's vectorised CartPole. The kit's backend is that of
KERAS_BACKEND. Nothing else should run meanwhile.
"""

import argparse
import json
import pathlib
import subprocess
import time

from harness import cell, pair_ratios
from peer_environments import python_of

# name: environments, steps per rollout and environment, minibatch, passes.
SETTINGS = {
    "A2C, 1 environment": (1, 5, None, 1),
    "A2C, 8 environments": (8, 5, None, 1),
    "PPO, 8 environments": (8, 256, 64, 10),
}


def rate_of_kit(name: str, steps: int, vectorised: bool) -> float:
    """Return environment steps per second of `fit`, after a warm-up."""
    import gymnasium
    import keras

    import keras_rlkit as rlk

    count, length, minibatch, passes = SETTINGS[name]
    rollout = count * length
    minibatches = rollout // minibatch if minibatch else 1
    same_step = gymnasium.vector.AutoresetMode.SAME_STEP
    if vectorised:
        environment = gymnasium.make_vec("CartPole-v1", num_envs=count)
    elif count == 1:
        environment = gymnasium.make("CartPole-v1")
    else:
        environment = gymnasium.make_vec(
            "CartPole-v1",
            num_envs=count,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": same_step},
        )

    def network(units):
        return keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(64, "tanh"),
                keras.layers.Dense(64, "tanh"),
                keras.layers.Dense(units),
            ]
        )

    agent = rlk.models.ActorCritic(
        network(2), network(1), clip=0.2 if minibatch else None
    )
    agent.compile(
        keras.optimizers.Adam(3e-4, global_clipnorm=0.5)
        if minibatch
        else keras.optimizers.RMSprop(7e-4, 0.99, global_clipnorm=0.5)
    )
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment,
        discount=0.99,
        lambda_=0.95 if minibatch else 1.0,
        standardize=minibatch is not None,
        seed=0,
    )
    on_tensorflow = keras.backend.backend() == "tensorflow"
    data = (buffer.dataset if on_tensorflow else buffer.batches)(
        minibatches, passes
    )
    collect = rlk.callbacks.CollectRollout(
        environment,
        buffer,
        rlk.policies.Categorical(seed=0),
        steps_per_epoch=rollout,
        seed=0,
    )
    rate = None
    for part in (rollout * 4, steps):
        before, start = collect.environment_steps, time.perf_counter()
        agent.fit(
            data,
            epochs=max(1, part // rollout),
            callbacks=[collect],
            shuffle=False,
            verbose=0,
        )
        played = collect.environment_steps - before
        rate = played / (time.perf_counter() - start)
    return rate


def rate_of_peer(name: str, steps: int) -> float:
    """Return environment steps per second of `learn`, after a warm-up."""
    from stable_baselines3 import A2C, PPO
    from stable_baselines3.common.env_util import make_vec_env

    count, length, minibatch, passes = SETTINGS[name]
    environment = make_vec_env("CartPole-v1", count, seed=0)
    common = {"n_steps": length, "seed": 0, "device": "cpu"}
    if minibatch:
        model = PPO(
            "MlpPolicy",
            environment,
            batch_size=minibatch,
            n_epochs=passes,
            **common,
        )
    else:
        model = A2C("MlpPolicy", environment, **common)
    model.learn(count * length * 4)
    before, start = model.num_timesteps, time.perf_counter()
    model.learn(steps, reset_num_timesteps=False)
    return (model.num_timesteps - before) / (time.perf_counter() - start)


def measure(interpreter: str, side: str, name: str, steps: int) -> float:
    """Measure one side once, in a process of its own."""
    command = [interpreter, __file__, "--side", side, "--name", name]
    output = subprocess.run(
        [*command, "--steps", str(steps)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side == "peer":
        print(json.dumps(rate_of_peer(options.name, options.steps)))
        return
    if options.side:
        vectorised = options.side == "vectorised"
        rate = rate_of_kit(options.name, options.steps, vectorised)
        print(json.dumps(rate))
        return
    repeats = options.repeats or (1 if options.quick else 5)
    lines = [
        "| setting | kit | Stable-Baselines3 | ratio | kit, vectorised |",
        "|---|---|---|---|---|",
    ]
    print(*lines, sep="\n", flush=True)
    for name, (count, *_) in SETTINGS.items():
        steps = (2_000 if count == 1 else 8_192) * (1 if options.quick else 4)
        rates = {"kit": [], "peer": [], "vectorised": []}
        for _ in range(repeats):
            for side, values in rates.items():
                interpreter = python_of("sb3" if side == "peer" else None)
                values.append(measure(interpreter, side, name, steps))
        ratios = pair_ratios(rates["kit"], rates["peer"])
        cells = [
            name,
            *(cell(rates[side], ",.0f") for side in ("kit", "peer")),
        ]
        cells += [cell(ratios, ".2f"), cell(rates["vectorised"], ",.0f")]
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
