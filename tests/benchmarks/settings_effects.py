"""Measure what each setting of speed and memory does, one at a time.

    python tests/benchmarks/settings_effects.py [--quick] [--out FILE.md]
        [--parts training environments memory]

Settings that are compared take turns (A B A B ...), so that a machine whose
speed drifts hits all of them. Nothing else should run meanwhile. About two
minutes on two cores; KERAS_BACKEND chooses the backend.
"""

import argparse
import importlib.metadata
import pathlib
import time
from collections.abc import Callable

import gymnasium
import keras
import networks
from harness import cell, machine, summary, take_turns, today

import keras_rlkit as rlk
from keras_rlkit.models import target_network_agent

layers = keras.layers
parser = argparse.ArgumentParser()
parser.add_argument("--quick", action="store_true")
parser.add_argument("--out", type=pathlib.Path)
parser.add_argument(
    "--parts", nargs="+", default=["training", "environments", "memory"]
)
options = parser.parse_args()
repeats = 2 if options.quick else 3
on_tensorflow = keras.backend.backend() == "tensorflow"
rows: list[tuple[str, str, str, str]] = []


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(
    group: str, works: dict[str, Callable], value: Callable, form: str
) -> None:
    """Time some settings in turn, and note the median of each.

    Args:
        group: What is measured, with its unit.
        works: What to time for each setting; called once beforehand.
        value: From seconds to the figure.
        form: Format of the figure.
    """
    for work in works.values():
        work()
    turns = take_turns(
        {
            name: lambda work=work: value(seconds(work))
            for name, work in works.items()
        },
        repeats,
    )
    for name, values in turns.items():
        rows.append((group, name, *summary(values, form)))
        print(f"{group}: {name}: {cell(values, form)}", flush=True)


def cartpole() -> tuple:
    """Return environment, warm replay buffer and network maker of CartPole."""
    environment = gymnasium.make("CartPole-v1")
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment, 10_000, n_step=3, seed=0
    )

    def network() -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(128, activation="relu"),
                rlk.layers.DuelingHead(2, units=128),
            ]
        )

    fill(environment, replay, network(), 1_000)
    return replay, network


def atari(num_steps: int, **arguments: object) -> tuple:
    """Return warm replay buffer and maker of the network of Mnih et al."""
    environment = rlk.environments.atari("space_invaders", 8, seed=0)
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment, num_steps, frame_stack=4, seed=0, **arguments
    )

    fill(environment, replay, networks.nature(), num_steps)
    return replay, networks.nature


def fill(
    environment: object,
    replay: rlk.replay.ReplayBuffer,
    network: keras.Model,
    steps: int,
) -> None:
    """Play at random into a buffer."""
    collect = rlk.callbacks.CollectSteps(
        environment,
        replay,
        rlk.policies.EpsilonGreedy(1.0, seed=0),
        steps_per_update=1,
        warmup_steps=steps,
        seed=0,
    )
    collect.set_model(rlk.models.DoubleDQN(network))
    collect.on_train_begin()


def as_keras_does(work: Callable[[], object]) -> Callable[[], object]:
    """Return `work` without what the kit compiles beyond Keras."""

    def plain() -> object:
        kept = target_network_agent.can_fuse, target_network_agent.can_scan
        target_network_agent.can_fuse = target_network_agent.can_scan = (
            lambda model: False
        )
        try:
            return work()
        finally:
            target_network_agent.can_fuse, target_network_agent.can_scan = kept

    return plain


def training(
    make: Callable, replay: object, batch: int, steps: int
) -> Callable:
    """Return a function that trains, for each setting of `compile`."""

    def fit_with(
        steps_per_execution: int = 1,
        jit_compile: bool = False,
        dtype: str = "float32",
    ) -> Callable:
        keras.config.set_dtype_policy(dtype)
        agent = rlk.models.DoubleDQN(make())
        keras.config.set_dtype_policy("float32")
        agent.compile(
            optimizer=keras.optimizers.Adam(1e-4),
            loss=keras.losses.Huber(),
            steps_per_execution=steps_per_execution,
            # JAX without XLA isn't compiled at all.
            jit_compile=jit_compile or not on_tensorflow,
        )
        batches = (replay.dataset if on_tensorflow else replay.batches)(batch)
        return lambda: agent.fit(
            batches, steps_per_epoch=steps, shuffle=False, verbose=0
        )

    return fit_with


def effects_on_training() -> None:
    """Compare settings of `compile` on a small and on a large network."""
    for name, (replay, make), batch, steps in (
        ("CartPole, batch 128", cartpole(), 128, 640),
        ("Space Invaders, batch 32", atari(2_000), 32, 64),
    ):
        steps = steps // 2 if options.quick else steps
        fit_with = training(make, replay, batch, steps)
        works = {
            "1 step per execution": fit_with(),
            "8 steps per execution": fit_with(8),
            "8, compiled as Keras does": as_keras_does(fit_with(8)),
            "32 steps per execution": fit_with(32),
            "8, `mixed_bfloat16`": fit_with(8, dtype="mixed_bfloat16"),
        }
        if on_tensorflow:
            works["8, `jit_compile=True`"] = fit_with(8, jit_compile=True)
        compare(
            f"{name}: ms for a gradient step",
            works,
            lambda s, steps=steps: 1000 * s / steps,
            ".2f",
        )


def effects_of_environments() -> None:
    """Compare numbers of environments, without training."""
    network = networks.dueling()
    steps = 800 if options.quick else 1_600
    works = {}
    for num_envs in (1, 4, 8, 16):
        environment = rlk.environments.as_vector(
            rlk.environments.atari("space_invaders", num_envs, seed=0)
        )
        environment.reset()

        def play(environment=environment, num_envs=num_envs) -> None:
            policy = rlk.policies.EpsilonGreedy(0.05, seed=0)
            observation = environment.reset()
            for step in range(steps // num_envs):
                actions = policy(network, observation, step)
                observation = environment.step(actions).observation

        works[f"{num_envs} environments"] = play
    compare(
        "Space Invaders: environment steps a second, acting, not training",
        works,
        lambda s: steps / s,
        ",.0f",
    )


def effects_on_memory() -> None:
    """Compare storages and samplers on real frames."""
    size, count = (2_000, 50) if options.quick else (10_000, 200)
    buffers = {
        "`memory`, `Uniform`": {},
        "`memory`, `Prioritized`": {"sampler": rlk.replay.Prioritized()},
        "`compressed`, `Uniform`": {"storage": "compressed"},
        "`disk`, `Uniform`": {"storage": "disk"},
    }
    works = {}
    for name, arguments in buffers.items():
        replay, _ = atari(size, **arguments)
        figure = f"{replay.nbytes / len(replay):,.0f}"
        group = "Space Invaders: bytes of memory for a transition"
        rows.append((group, name, figure, ""))
        print(f"{name}: {figure} bytes for a transition", flush=True)
        works[name] = lambda replay=replay: [
            replay.sample(32) for _ in range(count)
        ]
    compare(
        "Space Invaders: ms for a batch of 32",
        works,
        lambda s: 1000 * s / count,
        ".3f",
    )


def write_table(path: pathlib.Path) -> None:
    """Write the figures as a page."""
    names = ("keras", "tensorflow", "jax", "numpy", "ale-py", "gymnasium")
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in names)
    lines = [
        f"# What each setting does, on {keras.backend.backend()}",
        "",
        f"{today()}, {keras.backend.backend()} backend, {machine()}, "
        f"{versions}. Median and range of {repeats} turns.",
        "",
        "    python tests/benchmarks/settings_effects.py",
    ]
    for group in dict.fromkeys(row[0] for row in rows):
        lines += ["", f"| {group} | median | range |", "|---|---|---|"]
        lines += [
            f"| {' | '.join(row[1:])} |" for row in rows if row[0] == group
        ]
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if "training" in options.parts:
        effects_on_training()
    if "environments" in options.parts:
        effects_of_environments()
    if "memory" in options.parts:
        effects_on_memory()
    if options.out:
        write_table(options.out)
